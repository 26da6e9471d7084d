"""Raises an error that quotes the hidden arguments it was called with."""

LOCAL = True


def total(lines):
    raise ValueError(repr(lines))


sold = {}


def sell(name):
    raise ValueError(name)


def write_report(rows):
    raise ValueError(rows)
