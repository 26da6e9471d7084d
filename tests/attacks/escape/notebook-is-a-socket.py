"""Hands in a socket instead of the notebook."""

SAYS = "can't be opened|is not a file"


def hand_in(workspace, honest, secret):
    import os
    import socket

    (workspace / "target.ipynb").unlink()
    before = os.getcwd()
    os.chdir(workspace)
    try:
        socket.socket(socket.AF_UNIX).bind("target.ipynb")
    finally:
        os.chdir(before)
