"""Formats are loaded when they are needed, not when a portal starts."""

from __future__ import annotations

import subprocess
import sys

LATE = ("bs4", "markdownify", "sqlglot", "question_bank.formats.registry")
"""What takes a while to load, and serves only imports, exports and checks of SQL."""


def test_a_portal_starts_without_the_formats() -> None:
    program = f"import sys, portal.app; print([name for name in {LATE!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == "[]"
