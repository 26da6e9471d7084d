"""Hands in a folder by the notebook's name, with a notebook in it."""

SAYS = "is not a file"


def hand_in(workspace, honest, secret):
    (workspace / "target.ipynb").unlink()
    (workspace / "target.ipynb").mkdir()
    (workspace / "target.ipynb" / "target.ipynb").write_bytes(honest)
