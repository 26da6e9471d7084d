"""labkit must work in any Jupyter: it imports the standard library, httpx and psycopg, and nothing else."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import labkit

ALLOWED = {"httpx", "psycopg", "labkit"} | sys.stdlib_module_names


def test_only_the_standard_library_and_the_clients_are_imported() -> None:
    files = sorted(Path(labkit.__file__).parent.glob("*.py"))
    assert len(files) > 3
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {name.split(".")[0] for name in names} <= ALLOWED, file.name
