"""Replaces the workspace itself by a link to a folder with somebody else's notebook."""

SAYS = "lies behind one"


def hand_in(workspace, honest, secret):
    other = secret.parent / "other"
    other.mkdir()
    (other / "target.ipynb").write_bytes(honest)
    workspace.rename(workspace.with_name("moved"))
    workspace.symlink_to(other)
