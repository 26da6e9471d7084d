"""Hands in the notebook in UTF-16."""

SAYS = "not valid JSON"


def submission(honest):
    return honest.decode().encode("utf-16")
