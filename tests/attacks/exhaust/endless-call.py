"""Never returns from a call, and its threads don't either."""

CELL = "sum-up"
KEEPS = True
SAYS = "did not answer in time"


def total(lines):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
