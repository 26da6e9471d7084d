"""Hands in fifty megabytes."""

SAYS = "larger than 10 MB"


def submission(honest):
    return honest.replace(b"# A lab to attack", b"# " + b"A" * 50_000_000)
