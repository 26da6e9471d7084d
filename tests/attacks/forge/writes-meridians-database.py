"""Opens the database file of Meridian behind its back and writes into it."""

LAB = "saga-compensation"
LOOT = "LOOT-DATABASE"
import sqlite3
from pathlib import Path

for path in Path("/var/lib/sandbox").rglob("*"):
    try:
        if path.read_bytes()[:15] != b"SQLite format 3":
            continue
        with sqlite3.connect(path, timeout=2) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS planted (x)")
    except (OSError, sqlite3.Error):
        continue
    raise RuntimeError(f"LOOT-DATABASE {path.name}")
