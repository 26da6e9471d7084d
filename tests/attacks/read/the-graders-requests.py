"""Keeps the agent's requests and looks in them for more than a call's own arguments."""

LOCAL = True
LOOT = "LOOT-REQUEST"
import sys

bridge = sys.modules["_sandbox_bridge"]
original = bridge.answer


def curious(namespace, request):
    for word in ("expected", "CANARY-" + "EXP", "CANARY-" + "CHECK", "seed", "checks"):
        if word in request:
            raise RuntimeError(f"LOOT-REQUEST {word}")
    return original(namespace, request)


bridge.answer = curious
total = sell = write_report = lambda *_: 0
sold = {}
