"""Hands in a link to the host's password file instead of the notebook."""

SAYS = "is a link"


def hand_in(workspace, honest, secret):
    (workspace / "target.ipynb").unlink()
    (workspace / "target.ipynb").symlink_to("../../../../../../../../etc/shadow")
