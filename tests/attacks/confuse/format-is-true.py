"""Claims the format `true`, which is a number to Python."""

SAYS = "format"


def submission(honest):
    return honest.replace(b'"nbformat": 4', b'"nbformat": true')
