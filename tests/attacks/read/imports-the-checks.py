"""Imports the lab engine, the portal and the lab's content by every name they might have."""

LOOT = "LOOT-MODULE"
import importlib
import sys

sys.path += ["/opt/proving-ground", "/app", "/srv", "/work"]
for name in (
    "labs",
    "labs.checks",
    "labs.content",
    "checks",
    "support",
    "portal",
    "portal.settings",
    "tests.attacks",
):
    try:
        importlib.import_module(name)
    except Exception:
        continue
    raise RuntimeError(f"LOOT-MODULE {name}")
