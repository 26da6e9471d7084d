"""Writes every key of the notebook twice, so that two readers see two notebooks."""


def submission(honest):
    return b'{"cells": [], "nbformat": 4, "nbformat": 3, "metadata": {}, "cells": [], "nbformat": 4}'
