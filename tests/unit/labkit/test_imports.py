"""labkit must work in any Jupyter: it imports the standard library, and a client only when a lab has its service."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import labkit

CLIENTS = {"httpx", "psycopg", "redis", "confluent_kafka"}
ALLOWED = CLIENTS | {"labkit"} | sys.stdlib_module_names
MODULES = ("lab", "load", "live", "timeline", "tables", "chaos")


def test_only_the_standard_library_and_the_clients_are_imported() -> None:
    files = sorted(Path(labkit.__file__).parent.glob("*.py"))
    assert len(files) > 3
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {name.split(".")[0] for name in names} <= ALLOWED, file.name


def test_no_client_is_imported_before_it_is_wanted() -> None:
    unwanted = CLIENTS | {"IPython"}
    code = (
        f"import sys; from labkit import {', '.join(MODULES)}; print(sorted({unwanted!r} & set(sys.modules)))"
    )
    folder = Path(labkit.__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=240, check=True
    )
    assert done.stdout.strip() == "[]"
