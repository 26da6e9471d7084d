"""Hands in nothing but spaces and line ends."""

SAYS = "empty"


def submission(honest):
    return b" \n\t" * 1_000
