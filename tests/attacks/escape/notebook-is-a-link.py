"""Hands in a link to a file of the host instead of the notebook."""

SAYS = "is a link"


def hand_in(workspace, honest, secret):
    (workspace / "target.ipynb").unlink()
    (workspace / "target.ipynb").symlink_to(secret)
