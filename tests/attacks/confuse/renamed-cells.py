"""Gives every task's cell another task's name."""

LOCAL = True
EARNS = "honest"


def submission(honest):
    return (
        honest.replace(b"sum-up", b"S-W-A-P")
        .replace(b"write-report", b"sum-up")
        .replace(b"S-W-A-P", b"write-report")
    )
