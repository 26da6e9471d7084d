"""What checks of labs in Go share: a learner's package is built with a program of ours that drives it, in a sandbox where no
notebook ran, and what the program wrote down is read.

The program and the package are one process, so the package may import nothing by which it could reach the process: it can't end
it, print for it or write its files. What comes out is what happened; what is right is decided by the check.

Tests that the learner wrote are tried in the same place, with implementations of ours: some that are right, some that are not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labs.checks import CheckFailed, LabUnderTest, require
from sandboxes.interface import CommandResult

GO_MOD = b"module lab\n\ngo 1.25\n"
COMMON = Path(__file__).with_suffix(".go")
"""What all driving programs share; each adds its own `scenario`, `trace` and `play`."""
DRIVE = "drive"
THE_VARIABLE = "THE_VARIABLE"
"""Stands in `impls.go` for the environment variable that says which implementation the package is."""
BUILD_SECONDS = 180.0
RUN_SECONDS = 120.0
TEST_SECONDS = 60.0
MAX_SOURCE = 262_144
QUIET = frozenset({
    "bufio", "bytes", "cmp", "container/heap", "container/list", "context", "errors", "fmt", "hash/fnv", "io",
    "io/fs", "iter", "maps", "math", "math/rand", "math/rand/v2", "path", "runtime", "slices", "sort",
    "strconv", "strings", "sync", "sync/atomic", "time", "unicode", "unicode/utf8",
})  # fmt: skip
"""What a package of this lab may import: nothing that reaches the process or its files."""
NETWORK = frozenset({"net", "net/http", "net/url"})
TESTING = frozenset({"testing", "testing/synctest", "testing/iotest", "reflect", "runtime/pprof"})
MAX_LINES = 6
IMPORTS = (
    "{{range .Imports}}{{.}}\n{{end}}{{range .TestImports}}{{.}}\n{{end}}{{range .XTestImports}}{{.}}\n{{end}}"
)

Trace = dict[str, Any]


class Bench:
    """One package of the learner's, beside a program of ours, outside of everything that the notebook left behind."""

    def __init__(self, lab: LabUnderTest, content: Path) -> None:
        """`content` is the folder of the lab; `judge/` below it holds what is brought along."""
        self.lab = lab
        self.place = lab.apart()
        self.folder = f"judge-{lab.task}-{lab.random.getrandbits(32):08x}"
        self._content = content
        self._put("go.mod", GO_MOD)

    def take(self, name: str, allowed: frozenset[str]) -> None:
        """Copy a file that the notebook wrote. Fails the task when it is missing or imports what it must not."""
        try:
            source = self.lab.read(f"{self._content.name}/{name}", MAX_SOURCE)
        except FileNotFoundError:
            raise CheckFailed(
                f"The file {name} is not there: the cell that begins with `%%go {name}` writes it."
            ) from None
        self._put(name, source)
        listed = self._go("list", "-e", "-f", IMPORTS, name)
        require(
            listed.exit_code == 0,
            f"{name} is not a Go file that can be read: run its cell and see what gofmt says.",
        )
        imports = {line.strip() for line in listed.output.splitlines()} - {""}
        others = sorted(one[:80] for one in imports - allowed)
        require(
            not others,
            f"{name} imports {', '.join(others[:3])}. A package of this lab does its work with what it is given: it opens no "
            f"files, prints nothing and does not end the process. It may import {', '.join(sorted(allowed))}.",
        )

    def bring(self, source: str, target: str, replace: tuple[str, str] = ("", "")) -> None:
        """Put a file of ours beside it."""
        text = (self._content / "judge" / source).read_text(encoding="utf-8")
        self._put(target, (text.replace(*replace) if replace[0] else text).encode())

    def drive(self, source: str) -> None:
        """Put our program beside it and compile both. Fails the task with the compiler's words."""
        self._put(f"{DRIVE}/common.go", COMMON.read_bytes())
        self.compile_program(source)

    def compile_program(self, source: str) -> None:
        """Like drive, with a program that has nothing in common with others."""
        self.bring(source, f"{DRIVE}/drive.go")
        self._build("with the program that calls it", "build", "-race", "-o", "judge", f"./{DRIVE}")

    def compile_tests(self, package: str) -> None:
        """Compile the tests of a package. Fails the task with the compiler's words."""
        self._build("with the package that it tests", "test", "-race", "-c", "-o", "judge", f"./{package}")

    def _build(self, beside: str, *arguments: str) -> None:
        built = self._go(*arguments)
        if built.exit_code != 0:
            lines = [line for line in built.output.splitlines() if line.strip() and not line.startswith("#")]
            told = "\n".join(line.replace(self.folder, "…")[:300] for line in lines[:MAX_LINES])
            raise CheckFailed(f"It does not compile {beside}:\n{told}")

    def run(self, scenarios: list[dict[str, Any]]) -> list[Trace]:
        """Play the scenarios with the built program; one trace for each.

        Fails the task when the program ends early: by a data race, a panic, or because all goroutines wait.
        """
        self._put("scenarios.json", json.dumps(scenarios).encode())
        done = self.place.run(
            ["env", "-C", self.folder, "./judge", "scenarios.json", "traces.json"], timeout=RUN_SECONDS
        )
        require("WARNING: DATA RACE" not in done.output, told_race(done.output))
        require_alive(done)
        traces = json.loads(self.place.read(f"{self.folder}/traces.json"))
        require(len(traces) == len(scenarios), "The program that calls your package was ended by it.")
        return list(traces)

    def test(self, variables: Mapping[str, str]) -> CommandResult:
        """Run the learner's tests, as they were compiled."""
        given = [f"{name}={value}" for name, value in variables.items()]
        command = ["env", "-C", self.folder, *given, "./judge", "-test.timeout=10s", "-test.v"]
        return self.place.run(command, timeout=TEST_SECONDS)

    def _put(self, name: str, data: bytes) -> None:
        self.place.write(f"{self.folder}/{name}", data)

    def _go(self, *arguments: str) -> CommandResult:
        return self.place.run(["go", "-C", self.folder, *arguments], timeout=BUILD_SECONDS)


def drive(
    lab: LabUnderTest,
    content: Path,
    name: str,
    allowed: frozenset[str],
    scenarios: list[dict[str, Any]],
    *given: str,
) -> list[Trace]:
    """The traces of these scenarios, played with the learner's file `<package>/….go`.

    The program is `judge/<package>.go` of the lab, with `go_bench.go`; `given` are files of `judge/` that belong to the package.
    """
    bench = Bench(lab, content)
    package = name.split("/", 1)[0]
    bench.take(name, allowed)
    for one in given:
        bench.bring(one, f"{package}/{one}")
    bench.drive(f"{package}.go")
    return bench.run(scenarios)


@dataclass(frozen=True)
class Trial:
    """What tests that a learner wrote are tried with."""

    tests: str
    """The learner's file: `<package>/….go`."""
    allowed: frozenset[str]
    implementations: str
    """The file of the package that the tests are of; our `judge/impls.go` takes its place."""
    correct: Sequence[str]
    """Implementations that the tests must pass with; one that is named twice is tried twice."""
    broken: Mapping[str, str]
    """Implementation → what is wrong with it, as in "an implementation that …"."""
    too_much: str
    """What tests that fail with a correct implementation often ask for, as in "Do they ask for …?"."""
    given: Sequence[str] = field(default=())
    """Other files of `judge/` that belong to the package."""


def require_tests_that_tell(lab: LabUnderTest, content: Path, trial: Trial) -> None:
    """Fail the task unless the tests pass with each correct implementation, and fail with each broken one."""
    bench = Bench(lab, content)
    package = trial.tests.split("/", 1)[0]
    variable = f"IMPL_{lab.random.getrandbits(48):012X}"
    bench.bring("impls.go", f"{package}/{trial.implementations}", (THE_VARIABLE, variable))
    for one in trial.given:
        bench.bring(one, f"{package}/{one}")
    bench.take(trial.tests, trial.allowed)
    bench.compile_tests(package)
    for name in trial.correct:
        _require_passed(bench.test({variable: name}), trial)
    survivors = [fault for name, fault in trial.broken.items() if bench.test({variable: name}).exit_code == 0]
    require(
        not survivors,
        f"Your tests pass with an implementation that {'; and with one that '.join(survivors[:3])}"
        f"{f'; and with {len(survivors) - 3} more' if len(survivors) > 3 else ''}.",
    )


def _require_passed(done: CommandResult, trial: Trial) -> None:
    """Fail the task unless tests passed, all of those there are and at least one."""
    require(
        "no tests to run" not in done.output,
        f"{Path(trial.tests).name} has no test: a test is a function TestXxx(t *testing.T).",
    )
    if done.exit_code != 0 or "--- FAIL" in done.output:
        failed = re.findall(r"^\s*--- FAIL: (Test\w{0,60})", done.output, re.MULTILINE)
        # Of those that ran out of time no verdict is printed, but a list.
        failed = failed or re.findall(r"^\t+(Test\w{0,60})[^\n]* \(\d", done.output, re.MULTILINE)
        which = f" ({', '.join(dict.fromkeys(failed[:3]))})" if failed else ""
        late = " They had not ended after ten seconds." if "test timed out" in done.output else ""
        race = " The race detector reports the test itself." if "DATA RACE" in done.output else ""
        raise CheckFailed(
            f"Your tests fail with an implementation that is correct{which}.{late}{race} Do they ask for {trial.too_much}?"
        )
    require("--- PASS" in done.output, "Your tests end without a verdict: no test passed, and none failed.")


def told_race(output: str) -> str:
    """What a report of the race detector says to a learner."""
    places = re.findall(r"/(\w+/\w+\.go:\d+)", output)
    mine = [place for place in places if not place.startswith((f"{DRIVE}/", "sync/", "runtime/", "atomic/"))]
    where = f" The first report names {', '.join(dict.fromkeys(mine[:2]))}." if mine else ""
    return (
        "The race detector found a data race: two goroutines use the same memory, one of them writes, and nothing orders them."
        f"{where} Whatever is shared, the error too, needs a lock or a channel."
    )


def require_alive(done: CommandResult) -> None:
    """Fail the task when the program was ended by what it called."""
    require(
        "concurrent map" not in done.output,
        "Go ended the process: a map was written by two goroutines at once. No recover catches that.",
    )
    require(
        "all goroutines are asleep" not in done.output,
        "Deadlock: every goroutine waits, and none is left that could wake another.",
    )
    if found := re.search(r"^panic: ([^\n]{1,200})", done.output, re.MULTILINE):
        known = re.match(
            r"(send on closed channel|close of (?:closed|nil) channel|sync: [\w ]+|assignment to entry in nil map"
            r"|runtime error: (?:index out of range|slice bounds out of range)"
            r"|runtime error: invalid memory address or nil pointer dereference)",
            found[1],
        )
        raise CheckFailed(
            f"Your code panicked{f': {known[1]}' if known else ''}. Call it with odd inputs of your own: none, one, many."
        )
    require(done.exit_code == 0, "The program that calls your package was ended by it.")
