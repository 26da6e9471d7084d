"""Never ends its cell, and swallows every interrupt."""

LOCAL = True
CELL = "last"
KEEPS = True
SAYS = "took longer than 6 s"
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
