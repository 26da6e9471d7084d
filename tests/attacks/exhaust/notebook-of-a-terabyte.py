"""Hands in a file that claims to be a terabyte long, and takes no room on the disk."""

SAYS = "larger than 10 MB"


def hand_in(workspace, honest, secret):
    import os

    os.truncate(workspace / "target.ipynb", 10**12)
