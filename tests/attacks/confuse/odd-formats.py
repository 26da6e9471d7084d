"""Claims a format that is true, negative, or a number without end."""

SAYS = "not a Jupyter notebook|format"


def submission(honest):
    return honest.replace(b'"nbformat": 4', b'"nbformat": ' + b"4" * 5_000)
