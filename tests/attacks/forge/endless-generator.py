"""Returns generators that never end, where a value is expected."""

LOCAL = True


def total(lines):
    yield from iter(int, 1)


def sell(name):
    while True:
        yield 1


sold = (number for number in iter(int, 1))


def write_report(rows):
    return iter(int, 1)
