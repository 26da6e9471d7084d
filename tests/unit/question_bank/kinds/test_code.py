"""Code: what is run, what a run is worth, and what learners never see."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from question_bank import AnswerRefused, Ended, Outcome, RunnerUnavailable, RunRequest, RunResult
from question_bank.kinds.code import MAX_SOURCE
from question_bank.local_runner import LocalRunner
from question_bank.verify import verify

FIELDS = """\
language: python
examples:
  - {input: "1 2", output: "3", about: Two numbers.}
hidden:
  - {input: "SECRET-IN", output: "SECRET-OUT", about: No numbers at all.}
  - {input: "7", output: "7\\n8", about: One number.}
  - {input: "9", output: "9", about: Another number.}
"""
SECTIONS = """\
Add them.

## Starter

```python
print("begin")
```

## Solution

```python
SOLUTION = 1
```

## Harness

```python
import solution
```
"""


class Canned:
    """A runner that gives what it is told, and remembers what it was asked."""

    def __init__(self, *outcomes: Outcome, build_error: str = "") -> None:
        self.result = RunResult(outcomes, build_error)
        self.asked: list[RunRequest] = []

    def run(self, request: RunRequest) -> RunResult:
        self.asked.append(request)
        return self.result


def well(output: str) -> Outcome:
    return Outcome(Ended.WELL, output)


@pytest.fixture
def asked(question):
    return question(kind="code", extra=FIELDS, prompt=SECTIONS)


def test_learners_see_examples_starter_and_harness_and_nothing_hidden(asked):
    shown = asked.present(1)
    assert shown.code.starter == 'print("begin")'
    assert shown.code.harness == "import solution"
    assert [case.input for case in shown.code.examples] == ["1 2"]
    assert (shown.code.language, shown.code.hidden, shown.code.seconds) == ("python", 3, 5.0)
    everything = shown.model_dump_json()
    assert not any(secret in everything for secret in ("SECRET", "SOLUTION", "No numbers at all"))


def test_the_runner_gets_the_program_and_the_inputs_and_no_expected_output(asked):
    runner = Canned(well("3"), well("SECRET-OUT"), well("7\n8"), well("9"))
    graded = asked.grade("my program", runner=runner)
    assert graded.correct
    (request,) = runner.asked
    assert request.files == {"solution.py": "my program", "harness.py": "import solution"}
    assert request.inputs == ("1 2", "SECRET-IN", "7", "9")
    assert "SECRET-OUT" not in repr(request)
    assert graded.right_answer == "```python\nSOLUTION = 1\n```"


def test_each_case_earns_its_share(asked):
    runner = Canned(well("3"), well("wrong"), well("7\n8"), Outcome(Ended.OUT_OF_TIME, "9"))
    graded = asked.grade("x", runner=runner)
    assert graded.fraction == pytest.approx(2 / 4)
    assert [(entry.key, entry.right) for entry in graded.feedback] == [
        ("example-1", True),
        ("hidden-1", False),
        ("hidden-2", True),
        ("hidden-3", False),
    ]
    assert "longer than 5 s" in graded.feedback[3].comment


def test_feedback_never_shows_a_hidden_input_output_or_error(asked):
    outcomes = [Outcome(Ended.WITH_ERROR, "OUT", "KeyError: 'SECRET-IN'")] * 4
    feedback = asked.grade("x", runner=Canned(*outcomes)).feedback
    assert "KeyError" in feedback[0].comment  # an example's error may be seen
    assert (feedback[0].given, feedback[0].expected) == ("OUT", "3")
    for entry in feedback[1:]:
        assert (entry.given, entry.expected) == ("", "")
        assert entry.comment == "The program ended with an error."
        assert "SECRET" not in entry.model_dump_json()


def test_a_program_that_does_not_build_scores_nothing_and_says_why(asked):
    graded = asked.grade("x", runner=Canned(build_error="solution.go:3: no"))
    assert (graded.fraction, graded.answered, graded.message) == (0.0, True, "solution.go:3: no")
    assert not any(entry.right for entry in graded.feedback)


@pytest.mark.parametrize(
    ("output", "right"),
    [
        ("7\n8", True),
        ("7  \n8\n\n", True),
        ("7\r\n8", True),
        ("7 8", False),
        (" 7\n8", False),
        ("8\n7", False),
        ("7\n\n8", False),
    ],
)
def test_outputs_are_compared_by_line_without_trailing_blanks(asked, output, right):
    assert asked.body.passes(asked.body.task.cases[2], well(output)) == right


def test_lines_can_come_in_any_order(question):
    asked = question(kind="code", extra=FIELDS + "any_order: true\n", prompt=SECTIONS)
    assert asked.body.passes(asked.body.task.cases[2], well("8\n7"))
    assert not asked.body.passes(asked.body.task.cases[2], well("8\n8"))


def test_right_output_of_a_program_that_failed_does_not_count(asked):
    assert not asked.body.passes(asked.body.task.cases[0], Outcome(Ended.WITH_ERROR, "3"))


def test_without_a_runner_nothing_is_scored(asked):
    with pytest.raises(RunnerUnavailable, match="try again later"):
        asked.grade("x")
    with pytest.raises(RunnerUnavailable):
        asked.grade("x", runner=Canned(well("3")))


@pytest.mark.parametrize("answer", [3, ["a"], {"a": 1}, b"x", "x" * (MAX_SOURCE + 1)])
def test_what_is_no_program_is_refused(asked, answer):
    with pytest.raises(AnswerRefused):
        asked.grade(answer, runner=Canned())


@pytest.mark.parametrize("blank", [None, "", " \n\t"])
def test_a_blank_answer_is_not_run(asked, blank):
    runner = Canned()
    graded = asked.grade(blank, runner=runner)
    assert (graded.fraction, graded.answered, runner.asked) == (0.0, False, [])


@given(st.lists(st.sampled_from([Ended.WELL, Ended.WITH_ERROR, Ended.OUT_OF_TIME]), min_size=4, max_size=4))
def test_the_score_is_the_share_of_passed_cases(ended):
    from question_bank.kinds.code import Code, CodeTask

    case = {"input": "", "output": "1", "about": "It."}
    task = CodeTask.model_validate({"language": "go", "examples": [case], "hidden": [case] * 3})
    verdict = Code(task, "s", "t").grade("x", Canned(*(Outcome(how, "1") for how in ended)))
    assert verdict.fraction == sum(how is Ended.WELL for how in ended) / 4


@pytest.mark.parametrize(
    ("change", "line", "says"),
    [
        (("language: python", "language: cobol"), 8, "`language`"),
        (("hidden:", "hiden:"), 11, "`hiden` is no field"),
        (("about: Two numbers.", "abut: Two."), 9, "examples.0.about"),
        (("## Solution", "## Resolution"), None, "no section of a question"),
        (("## Starter\n", "## Options\n"), None, "has no options"),
        (("```python\nSOLUTION = 1\n```", "SOLUTION = 1"), None, "one code block"),
        (("SOLUTION = 1\n```", "SOLUTION = 1\n```\nmore"), None, "one code block"),
        (("import solution", "x" * (MAX_SOURCE + 1)), 8, "longer than"),
    ],
)
def test_what_may_not_be_written(faults_of, text, change, line, says):
    written = text(kind="code", extra=FIELDS, prompt=SECTIONS).replace(*change)
    found = faults_of(written)
    assert any(line in (None, fault.line) and says in fault.message for fault in found), found


SUM = """\
Add them.

## Starter

```python
{starter}
```

## Solution

```python
{solution}
```
"""


@pytest.mark.parametrize(
    ("starter", "solution", "says"),
    [
        ("print(0)", "print(sum(map(int, input().split())))", []),
        (
            "print(0)",
            "print(len(input()))",
            ["Case 1 (Two numbers.): the solution gave '3\\n', asked for is '30'."],
        ),
        (
            "print(sum(map(int, input().split())))",
            "print(sum(map(int, input().split())))",
            ["The starter passes"],
        ),
        ("print(0)", "raise SystemExit('oh')", ["ended with “error”: oh"] * 3),
    ],
)
def test_verifying_runs_the_solution_and_the_starter(question, starter, solution, says):
    fields = (
        "language: python\nexamples:\n  - {input: 1 2, output: '3', about: Two numbers.}\nhidden:\n"
        "  - {input: '10 ', output: '10', about: One.}\n  - {input: 5 5, output: '10', about: Equal ones.}\n"
    )
    if "len" in solution:
        fields = fields.replace("'3', about", "'30', about").replace("'10'", "'3'")
    asked = question(kind="code", extra=fields, prompt=SUM.format(starter=starter, solution=solution))
    with LocalRunner() as runner:
        faults = verify(asked, runner)
    assert len(faults) == len(says)
    assert all(part in str(fault) for part, fault in zip(says, faults, strict=True))
