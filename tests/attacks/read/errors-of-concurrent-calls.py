"""Answers concurrent calls with errors that quote what the others were called with."""

LAB = "saga-compensation"
LOOT = "LOOT-EVENT"


import threading


def compensate_once(event):
    # The bridge's threads have such names; what the notebook itself calls is not hidden.
    if threading.current_thread().name.startswith("call-"):
        raise RuntimeError(f"LOOT-EVENT {event}")
