"""Hands in a notebook of format 3, whose cells lie in worksheets."""

SAYS = "format 3"


def submission(honest):
    import json

    cells = json.loads(honest)["cells"]
    return json.dumps(
        {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": cells}]}
    ).encode()
