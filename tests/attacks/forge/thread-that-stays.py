"""Leaves a thread behind that keeps changing the notebook's names and files while it is checked."""

LOCAL = True
import random
import threading


def meddle():
    while True:
        globals()["sold"] = {str(random.randint(1, 50)): "anybody"}
        globals()["total"] = lambda lines: random.randint(0, 1_000_000)
        with open("report.json", "w") as file:
            file.write('{"count": %d, "sum": 1, "first": "anybody"}' % random.randint(1, 9))


threading.Thread(target=meddle, daemon=True).start()
sold = {}
total = lambda lines: 1


def sell(name):
    return len(sold)


def write_report(rows):
    pass
