"""The Go that labs bring along: what drives a learner's package, and the implementations that their tests are tried with."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from labs.catalogue import CONTENT_ROOT
from labs.go_bench import COMMON
from tests.fixtures.golang import gofmt

FILES = [COMMON, *sorted(CONTENT_ROOT.glob("*/judge/*.go"))]


def test_it_parses_and_is_formatted() -> None:
    done = subprocess.run([gofmt(), "-l", *FILES], capture_output=True, text=True, timeout=60, check=False)
    assert len(FILES) > 5
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_no_lab_brings_what_the_engine_brings() -> None:
    """Two copies of the same helper would drift apart."""
    for file in FILES[1:]:
        again = _functions(file) & _functions(COMMON) - {"main"}
        assert not again, file


GIVEN = re.compile(r'^```go file="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def test_a_file_that_is_given_is_graded_as_it_was_given() -> None:
    """The notebook shows it, and the checks bring it along: a learner must not build on another one."""
    seen = 0
    for lab in sorted(path.parent for path in CONTENT_ROOT.glob("*/judge")):
        for name, text in GIVEN.findall((lab / "lab.md").read_text(encoding="utf-8")):
            copy = lab / "judge" / Path(name).name
            if copy.exists():
                seen += 1
                assert copy.read_text(encoding="utf-8") == text, f"{lab.name}: {name}"
    assert seen >= 4


def _functions(file: Path) -> set[str]:
    return set(re.findall(r"^func (\w+)", file.read_text(encoding="utf-8"), re.MULTILINE))
