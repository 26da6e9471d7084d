"""Never returns from concurrent calls, which lock each other out."""

CELL = "sell-once"
KEEPS = True
SAYS = "did not answer in time"
sold = {}
import threading

door = threading.Lock()


def sell(name):
    door.acquire()
    door.acquire()
