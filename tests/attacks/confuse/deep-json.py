"""Hands in JSON that is nested a million levels deep."""

SAYS = "not valid JSON"


def submission(honest):
    return b'{"cells": ' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}"
