"""Hands in a pipe that nobody ever writes to."""

SAYS = "is not a file"


def hand_in(workspace, honest, secret):
    import os

    (workspace / "target.ipynb").unlink()
    os.mkfifo(workspace / "target.ipynb")
