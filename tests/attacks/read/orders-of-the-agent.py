"""Reads and rewrites the agent's orders, in which a sandbox's address and its token stand."""

LOOT = "LOOT-ORDERS"
from pathlib import Path

try:
    orders = Path("/run/sandbox/spec.json").read_text()
except OSError:
    orders = ""
if "web_path" in orders:
    raise RuntimeError("LOOT-ORDERS the token's path can be read")
