"""Returns values far larger than an answer may be."""


def total(lines):
    return "x" * 30_000_000


sold = {str(number): "x" * 1_000 for number in range(5_000)}


def sell(name):
    return "x" * 1_000_000


def write_report(rows):
    return list(range(2_000_000))
