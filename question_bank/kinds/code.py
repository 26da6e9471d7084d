"""Code: a program in Python, Go or SQL that is run on visible examples and hidden cases, with partial credit.

The learner's program and, when the question has one, a harness around it are run once for each case, with the
case's input; what comes out is compared here. So expected outputs never enter the sandbox, and hidden inputs never
reach the page.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import ClassVar, Self

from pydantic import Field

from question_bank.body import Body, Written
from question_bank.document import Document
from question_bank.fences import fenced, the_only_block
from question_bank.graded import Feedback, Verdict
from question_bank.items import Report
from question_bank.presented import PresentedCase, PresentedCode, Shown
from question_bank.runner import CodeRunner, Ended, Language, Outcome, RunRequest, RunResult
from question_bank.schema import AnswerRefused, Frozen, RunnerUnavailable
from question_bank.values import read_value, sparse

MAX_SOURCE = 20_000
MAX_CASE_TEXT = 4_000
FILE_ENDINGS: dict[Language, str] = {"python": "py", "go": "go", "sql": "sql"}

_WHAT_HAPPENED = {
    Ended.WITH_ERROR: "The program ended with an error.",
    Ended.OUT_OF_TIME: "The program was stopped: it took longer than {seconds:g} s.",
    Ended.TOO_MUCH_OUTPUT: "The program was stopped: it wrote too much.",
}


class Case(Frozen):
    """One input, and what the program has to make of it."""

    input: str = Field(default="", max_length=MAX_CASE_TEXT)
    """Standard input; for SQL the statements that fill the tables."""
    output: str = Field(max_length=MAX_CASE_TEXT)
    """Standard output; blanks at the ends of lines and empty lines at the end don't count."""
    about: str = Field(min_length=1, max_length=200)
    """What the case probes, for the learner whose program fails it; a hidden case's must not tell its input."""


class CodeTask(Frozen):
    """The fields of the front matter."""

    language: Language
    examples: tuple[Case, ...] = Field(min_length=1, max_length=5)
    """Cases that learners see."""
    hidden: tuple[Case, ...] = Field(min_length=2, max_length=30)
    """Cases that learners never see."""
    case_seconds: float = Field(default=5.0, ge=0.5, le=30.0, allow_inf_nan=False)
    """How long one case may run."""
    any_order: bool = Field(default=False, strict=True)
    """Whether the lines of an output may come in any order."""

    @property
    def cases(self) -> tuple[Case, ...]:
        """The examples, then the hidden cases."""
        return (*self.examples, *self.hidden)


@dataclass(frozen=True)
class Code(Body):
    """A program to write; the answer is its text. Each case earns an equal share."""

    task: CodeTask
    starter: str
    solution: str
    """The author's own program: it must pass every case."""
    harness: str = ""
    name: ClassVar[str] = "code"
    fields: ClassVar[frozenset[str]] = frozenset(CodeTask.model_fields)
    sections: ClassVar[frozenset[str]] = frozenset({"Starter", "Solution", "Harness"})

    @classmethod
    def parse(cls, question_id: str, document: Document, report: Report) -> Self | None:
        cls.refuse_unknown_parts(document, report)
        fields = {key: value for key, value in document.front.items() if key in cls.fields}
        line = document.line_of("language")
        task = read_value(CodeTask, document, (), report, fields)
        texts: dict[str, str | None] = {"Harness": ""}
        for name in ("Starter", "Solution", "Harness"):
            section = document.sections.get(name)
            if section is None:
                if name not in texts:
                    report(line, f"A question of kind `code` needs a section `## {name}` with one code block.")
                    return None
                continue
            texts[name] = the_only_block(section, report)
        starter, solution, harness = texts["Starter"], texts["Solution"], texts["Harness"]
        if task is None or starter is None or solution is None or harness is None:
            return None
        if max(len(starter), len(solution), len(harness)) > MAX_SOURCE:
            report(line, f"A program is longer than {MAX_SOURCE:,} characters: shorten it.")
            return None
        return cls(task, starter, solution, harness)

    def show(self, shuffle: random.Random) -> Shown:
        task = self.task
        examples = tuple(PresentedCase(input=c.input, output=c.output, about=c.about) for c in task.examples)
        return Shown(
            rule=f"Write the program. It is run on the examples and on {len(task.hidden)} hidden cases; each of them "
            "earns an equal share.",
            code=PresentedCode(
                language=task.language,
                starter=self.starter,
                harness=self.harness,
                examples=examples,
                hidden=len(task.hidden),
                seconds=task.case_seconds,
            ),
        )

    def grade(self, answer: object, runner: CodeRunner | None = None) -> Verdict:
        request = self.request(answer)
        if request is None:
            return self.judge(None)
        if runner is None:
            raise RunnerUnavailable("Programs can't be run here now. Your answer is not lost: try again later.")
        return self.judge(runner.run(request))

    def request(self, answer: object, *, examples_only: bool = False) -> RunRequest | None:
        """What to run for an answer, None for a blank one. Together with `judge` this lets a worker do the running.

        With `examples_only` it is a try, for `judge` with the same. Raises `AnswerRefused` for what is no program.
        """
        if answer is None:
            return None
        if not isinstance(answer, str):
            raise AnswerRefused("Send the program as text.")
        if len(answer) > MAX_SOURCE:
            raise AnswerRefused(f"The program is longer than {MAX_SOURCE:,} characters: shorten it.")
        if not answer.strip():
            return None
        ending = FILE_ENDINGS[self.task.language]
        files = {f"solution.{ending}": answer}
        if self.harness:
            files[f"harness.{ending}"] = self.harness
        cases = self.task.examples if examples_only else self.task.cases
        inputs = tuple(case.input for case in cases)
        return RunRequest(self.task.language, files, inputs, self.task.case_seconds)

    def judge(self, result: RunResult | None, *, examples_only: bool = False) -> Verdict:
        """What a run is worth; None stands for a blank answer."""
        cases = self.task.examples if examples_only else self.task.cases
        outcomes: tuple[Outcome | None, ...] = result.outcomes if result else ()
        if result and not result.build_error and len(outcomes) != len(cases):
            raise RunnerUnavailable("The runner gave no outcome for some cases: try again later.")
        if not outcomes or (result and result.build_error):
            outcomes = (None,) * len(cases)
        visible = len(self.task.examples)
        feedback = tuple(
            self._feedback(number, case, outcome, visible=number < visible)
            for number, (case, outcome) in enumerate(zip(cases, outcomes, strict=True))
        )
        return Verdict(
            fraction=sum(entry.right for entry in feedback) / len(cases),
            answered=result is not None,
            feedback=feedback,
            right_answer=fenced(self.solution, self.task.language),
            message=result.build_error if result else "",
        )

    def passes(self, case: Case, outcome: Outcome) -> bool:
        """Whether a program's outcome is what the case asks for."""
        got, wanted = _lines(outcome.output), _lines(case.output)
        if self.task.any_order:
            got, wanted = sorted(got), sorted(wanted)
        return outcome.ended is Ended.WELL and got == wanted

    def write(self) -> Written:
        language = self.task.language
        sections = {"Starter": fenced(self.starter, language), "Solution": fenced(self.solution, language)}
        if self.harness:
            sections["Harness"] = fenced(self.harness, language)
        return Written(front=sparse(self.task), sections=sections)

    def remarks(self) -> tuple[tuple[str, str], ...]:
        said = []
        if len(self.task.hidden) < len(self.task.examples):
            said.append(
                (
                    "hidden",
                    "There are fewer hidden cases than examples: whoever types these in gets most points.",
                )
            )
        if " ".join(self.starter.split()) == " ".join(self.solution.split()):
            said.append(("Starter", "The starter is the solution."))
        shown = {(case.input, case.output) for case in self.task.examples}
        if any((case.input, case.output) in shown for case in self.task.hidden):
            said.append(("hidden", "A hidden case is one of the examples: ask for something else."))
        return tuple(said)

    def _feedback(self, number: int, case: Case, outcome: Outcome | None, *, visible: bool) -> Feedback:
        right = outcome is not None and self.passes(case, outcome)
        comment = ""
        if outcome is not None and outcome.ended is not Ended.WELL:
            comment = _WHAT_HAPPENED[outcome.ended].format(seconds=self.task.case_seconds)
        given = outcome.output if outcome and visible else ""
        if outcome and visible and outcome.error:
            comment = f"{comment}\n\n{fenced(outcome.error, 'text')}".strip()
        first = 0 if visible else len(self.task.examples)
        return Feedback(
            key=f"{'example' if visible else 'hidden'}-{number - first + 1}",
            text=case.about,
            chosen=outcome is not None,
            right=right,
            comment=comment,
            given=given,
            expected=case.output if visible else "",
        )


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().splitlines()]
