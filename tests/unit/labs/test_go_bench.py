"""What checks of labs in Go share: what is brought along, and what a learner reads of what came of it."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from labs import go_bench
from labs.checks import CheckFailed, LabUnderTest
from labs.go_bench import Bench, Trial, drive, require_tests_that_tell
from sandboxes.interface import CommandResult
from sandboxes.services.base import find_program

BUILT = CommandResult(0, "")
PASSED = CommandResult(0, "=== RUN   TestMost\n--- PASS: TestMost (0.00s)\nPASS\n")
FAILED = CommandResult(1, "--- FAIL: TestMost (0.00s)\n    --- FAIL: TestMost/none (0.00s)\nFAIL\n")
TRIAL = Trial(
    tests="most/most_test.go",
    allowed=frozenset({"testing", "lab/most"}),
    implementations="most.go",
    given=("more.go",),
    correct=("plain", "odd", "plain"),
    broken={
        "least": "gives the least",
        "first": "gives the first",
        "none": "gives nothing",
        "two": "gives two",
    },
    too_much="the order of what has none",
)
PROGRAM = """package main

import "lab/most"

type scenario struct {
	Numbers []int `json:"numbers"`
}

type trace struct {
	Most     int   `json:"most"`
	Soon     bool  `json:"soon"`
	Left     int   `json:"left"`
	Failures []int `json:"failures"`
}

func play(given scenario) trace {
	before := numbered(0)
	return trace{
		Most: most.Of(given.Numbers),
		Soon: within(settle, func() bool { return true }) && !within(0, func() bool { return false }),
		Left: leftOver(1_000), Failures: failuresIn(before, []*failure{before, numbered(1)}),
	}
}

func numbered(number int) *failure { return &failure{number} }
"""


class Place:
    """Where programs are built and run: notes what is written, and answers commands as a test says."""

    def __init__(self, answer: Callable[[Sequence[str]], CommandResult]) -> None:
        self.files: dict[str, bytes] = {}
        self.commands: list[Sequence[str]] = []
        self._answer = answer

    def write(self, path: str, data: bytes) -> None:
        self.files[path.split("/", 1)[1]] = data

    def read(self, path: str, max_bytes: int = 0) -> bytes:
        return self.files[path.split("/", 1)[1]]

    def run(self, command: Sequence[str], timeout: float) -> CommandResult:
        self.commands.append(command)
        return self._answer(command)

    def lab(self, files: dict[str, bytes]) -> LabUnderTest:
        """A learner's sandbox with these files, and this place apart."""

        def read(path: str, max_bytes: int) -> bytes:
            try:
                return files[path]
            except KeyError:
                raise FileNotFoundError(path) from None

        given = SimpleNamespace(task="most", random=random.Random(3), apart=lambda: self, read=read)
        return cast(LabUnderTest, given)


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """The folder of a lab."""
    folder = tmp_path / "go-most"
    (folder / "judge").mkdir(parents=True)
    (folder / "judge" / "most.go").write_text(PROGRAM)
    (folder / "judge" / "more.go").write_text("package most\n")
    (folder / "judge" / "impls.go").write_text('package most\n\nvar fault = os.Getenv("THE_VARIABLE")\n')
    return folder


def answering(
    tests: Callable[[str], CommandResult] = lambda name: PASSED,
    build: CommandResult = BUILT,
    imports: str = "testing\nlab/most\n\n",
) -> Callable[[Sequence[str]], CommandResult]:
    """Answers of a toolchain, and of tests by the implementation that they are run with."""

    def answer(command: Sequence[str]) -> CommandResult:
        if command[0] == "go":
            return CommandResult(0, imports) if "list" in command else build
        (name,) = (word.split("=", 1)[1] for word in command if word.startswith("IMPL_"))
        return tests(name)

    return answer


def told(content: Path, **answers: Any) -> tuple[str, Place]:
    """What a learner reads of their tests (empty when they pass), and the place they were tried in."""
    place = Place(answering(**answers))
    lab = place.lab({"go-most/most/most_test.go": b"package most_test\n"})
    try:
        require_tests_that_tell(lab, content, TRIAL)
    except CheckFailed as failed:
        return str(failed), place
    return "", place


def right(name: str) -> CommandResult:
    return PASSED if name in TRIAL.correct else FAILED


def test_tests_that_tell_right_from_wrong_pass(content: Path) -> None:
    said, place = told(content, tests=right)
    assert said == ""
    assert place.files["most/most_test.go"] == b"package most_test\n"
    assert place.files["most/more.go"] == b"package most\n"
    variables = [word for command in place.commands for word in command if word.startswith("IMPL_")]
    assert [word.split("=")[1] for word in variables] == [*TRIAL.correct, *TRIAL.broken]
    name = variables[0].split("=")[0]
    assert f'os.Getenv("{name}")'.encode() in place.files["most/most.go"]


def test_the_variable_that_names_the_implementation_is_another_one_each_time(content: Path) -> None:
    place = Place(answering(tests=right))
    lab = place.lab({"go-most/most/most_test.go": b""})
    require_tests_that_tell(lab, content, TRIAL)
    first = place.files["most/most.go"]
    require_tests_that_tell(lab, content, TRIAL)
    assert place.files["most/most.go"] != first


def test_broken_implementations_that_pass_are_named_three_at_most(content: Path) -> None:
    def all_but(*names: str) -> str:
        return told(content, tests=lambda name: PASSED if name in names else right(name))[0]

    assert all_but("first") == "Your tests pass with an implementation that gives the first."
    assert all_but("first", "two") == (
        "Your tests pass with an implementation that gives the first; and with one that gives two."
    )
    assert all_but(*TRIAL.broken) == (
        "Your tests pass with an implementation that gives the least; and with one that gives the first; and with one that "
        "gives nothing; and with 1 more."
    )


@pytest.mark.parametrize(
    ("done", "words"),
    [
        (
            FAILED,
            "Your tests fail with an implementation that is correct (TestMost). Do they ask for the order",
        ),
        (CommandResult(0, f"{PASSED.output}--- FAIL: TestLate"), "that is correct (TestLate). Do they"),
        (
            CommandResult(66, "WARNING: DATA RACE\nFAIL\n"),
            "is correct. The race detector reports the test itself. Do",
        ),
        (
            CommandResult(
                2,
                "=== RUN   TestMost\npanic: test timed out after 10s\n\trunning tests:\n\t\tTestMost (10s)\n"
                "\t\tTestMost/a_case (10s)\n\ngoroutine 5 [running]:\ntesting.(*M).startAlarm.func1()\n",
            ),
            "that is correct (TestMost). They had not ended after ten seconds. Do they",
        ),
        (CommandResult(0, "testing: warning: no tests to run\nPASS\n"), "most_test.go has no test"),
        (CommandResult(0, "=== RUN   TestMost\n--- SKIP: TestMost\nPASS\n"), "without a verdict"),
    ],
)
def test_tests_must_pass_with_each_correct_implementation(
    content: Path, done: CommandResult, words: str
) -> None:
    said, _ = told(content, tests=lambda name: done if name == "odd" else right(name))
    assert words in said


def test_what_does_not_compile_or_imports_too_much_is_told(content: Path) -> None:
    refused = CommandResult(1, "# lab/most\njudge-most-0/most/most_test.go:3:1: undefined: Ladle\n")
    said, place = told(content, build=refused)
    assert said.startswith("It does not compile with the package that it tests:\n")
    assert "undefined: Ladle" in said
    assert not any("./judge" in command for command in place.commands)
    said, _ = told(content, imports="testing\nos/exec\n")
    assert said.startswith("most/most_test.go imports os/exec.")


def test_a_file_that_is_missing_or_unreadable_is_told(content: Path) -> None:
    place = Place(answering())
    with pytest.raises(CheckFailed, match=r"most/most\.go is not there: the cell that begins with"):
        drive(place.lab({}), content, "most/most.go", frozenset(), [])
    unreadable = Place(lambda command: CommandResult(1, "expected 'package'"))
    with pytest.raises(CheckFailed, match="is not a Go file that can be read"):
        drive(unreadable.lab({"go-most/most/most.go": b"?"}), content, "most/most.go", frozenset(), [])


@pytest.mark.parametrize(
    ("done", "words"),
    [
        (
            CommandResult(
                66, "WARNING: DATA RACE\n  /w/judge-1/drive/drive.go:4\n  /w/judge-1/most/most.go:7 +0x1\n"
            ),
            "The first report names most/most.go:7.",
        ),
        (
            CommandResult(2, "fatal error: concurrent map writes\n"),
            "a map was written by two goroutines at once",
        ),
        (CommandResult(2, "fatal error: all goroutines are asleep - deadlock!\n"), "every goroutine waits"),
        (CommandResult(2, "panic: close of closed channel\n"), "panicked: close of closed channel."),
        (CommandResult(2, "panic: hidden-7\n"), "Your code panicked. Call it"),
        (CommandResult(3, "judge: no\n"), "was ended by it"),
    ],
)
def test_how_a_program_ended_is_told_without_what_it_was_given(
    content: Path, done: CommandResult, words: str
) -> None:
    place = Place(lambda command: CommandResult(0, "") if command[0] == "go" else done)
    lab = place.lab({"go-most/most/most.go": b"package most\n"})
    with pytest.raises(CheckFailed) as failed:
        drive(lab, content, "most/most.go", frozenset(), [{"numbers": [1]}])
    assert words in str(failed.value)
    assert "hidden-7" not in str(failed.value)


@pytest.mark.go
def test_a_program_plays_scenarios_with_a_learners_package(content: Path, tmp_path: Path) -> None:
    go = find_program("go")
    assert go is not None
    cache = os.environ.get("GOCACHE") or str(Path.home() / ".cache" / "go-build")
    variables = {
        "PATH": os.defpath,
        "HOME": str(tmp_path),
        "GOCACHE": cache,
        "GOFLAGS": "-mod=mod",
        "GOPROXY": "off",
    }

    class Machine(Place):
        """This machine; without the race detector, for whose half of the library there is no time here."""

        def write(self, path: str, data: bytes) -> None:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(data)

        def read(self, path: str, max_bytes: int = 0) -> bytes:
            return (tmp_path / path).read_bytes()

    def answer(command: Sequence[str]) -> CommandResult:
        words = [go if word == "go" else word for word in command if word != "-race"]
        done = subprocess.run(
            words, cwd=tmp_path, env=variables | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=False,
        )  # fmt: skip
        return CommandResult(done.returncode, done.stdout)

    package = b'package most\n\nimport "slices"\n\nfunc Of(numbers []int) int { return slices.Max(numbers) }\n'
    lab = Machine(answer).lab({"go-most/most/most.go": package})
    allowed = frozenset({"slices"})
    traces = drive(lab, content, "most/most.go", allowed, [{"numbers": [2, 7, 1]}, {"numbers": [3]}], "more.go")
    assert traces == [
        {"most": 7, "soon": True, "left": 0, "failures": [0]},
        {"most": 3, "soon": True, "left": 0, "failures": [0]},
    ]
    with pytest.raises(CheckFailed, match="imports slices"):
        drive(lab, content, "most/most.go", frozenset(), [])
    with pytest.raises(CheckFailed, match="panicked"):
        drive(lab, content, "most/most.go", allowed, [{"numbers": []}])


def test_a_program_may_have_nothing_in_common_with_others(content: Path) -> None:
    place = Place(answering())
    Bench(place.lab({}), content).compile_program("most.go")
    assert set(place.files) == {"go.mod", "drive/drive.go"}
    Bench(place.lab({}), content).drive("most.go")
    assert place.files["drive/common.go"] == go_bench.COMMON.read_bytes()
