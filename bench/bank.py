"""Loading and linting a bank of 500 questions, in a fresh process each time: the CPU seconds of one core, imports included.

The bank is the built-in one, repeated with other words until there are 500, plus questions with parameters, whose
variants the lint draws. The floor is a process that reads the same files and their front matter, and nothing else.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.result import compare, note
from question_bank.loader import BUILT_IN
from question_bank.starting import starting_text

QUESTIONS = 500
PARAMETERISED = 60
BUDGET_SECONDS = 2.0
_FLOOR = """
import sys, yaml
from pathlib import Path
for path in Path(sys.argv[1]).rglob("*.md"):
    yaml.load(path.read_text(encoding="utf-8").split("---\\n", 2)[1], Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
"""


def run(rounds: int) -> None:
    """Measure `rounds` processes each, in turns."""
    with tempfile.TemporaryDirectory(prefix="bench-bank-") as name:
        root = Path(name)
        _fill(root)
        ours, floor = [], []
        for number in range(rounds):
            ours.append(_seconds([sys.executable, "-m", "question_bank", "lint", "--root", name]))
            floor.append(_seconds([sys.executable, "-c", _FLOOR, name]))
            note(f"bank {number + 1}/{rounds}: {ours[-1]:.2f} s, floor {floor[-1]:.2f} s")
    compare(
        "bank", "load-and-lint", ours, floor, budget=None, questions=QUESTIONS, budget_seconds=BUDGET_SECONDS
    )


def _fill(root: Path) -> None:
    """Write the bank. Words differ from copy to copy, so that nothing is a near-duplicate of anything."""
    sources = [(path, path.read_text(encoding="utf-8")) for path in sorted(BUILT_IN.rglob("*.md"))]
    for number in range(QUESTIONS - PARAMETERISED):
        path, text = sources[number % len(sources)]
        copy = number // len(sources)
        _, front, body = text.split("---\n", 2)
        front = re.sub(r"^replaces:.*\n", "", front, flags=re.MULTILINE)
        front = front.replace(f"id: {path.stem}\n", f"id: {path.stem}-{copy}\n", 1)
        body = re.sub(r"(?<![\w`/.])[a-z]{6,}(?![\w`/.(])", rf"\g<0>{copy or ''}", body)
        target = root / path.parent.name / f"{path.stem}-{copy}.md"
        target.parent.mkdir(exist_ok=True)
        target.write_text(f"---\n{front}---\n{body}", encoding="utf-8")
    for number in range(PARAMETERISED):
        text = starting_text("numeric", f"many-{number}", "a-module", "a-topic")
        words = " ".join(f"word{number}x{place}" for place in range(30))
        target = root / "a-topic" / f"many-{number}.md"
        target.parent.mkdir(exist_ok=True)
        target.write_text(text.replace("‹A situation:›", words), encoding="utf-8")


def _seconds(command: list[str]) -> float:
    """The CPU time that a command took. Exit code 1 says that the bank has faults, which is all the same here."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        raise RuntimeError(f"{command[-1]} ended with {process.returncode}.")
    return usage.ru_utime + usage.ru_stime
