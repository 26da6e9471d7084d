"""The code questions of the built-in bank: each solution passes its cases, and no starter does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from question_bank import Question, load
from question_bank.kinds.code import Code
from question_bank.local_runner import LocalRunner
from question_bank.verify import verify


def of(language: str) -> list[Question]:
    return [
        question
        for question in load().questions.values()
        if isinstance(question.body, Code) and question.body.task.language == language
    ]


@pytest.fixture(scope="module")
def runner() -> Iterator[LocalRunner]:
    with LocalRunner() as local:
        yield local


@pytest.mark.parametrize("question", of("python"), ids=lambda question: question.id)
def test_python_solutions_pass(question, runner):
    assert [str(fault) for fault in verify(question, runner)] == []


@pytest.mark.go
@pytest.mark.parametrize("question", of("go"), ids=lambda question: question.id)
def test_go_solutions_pass(question, runner):
    assert [str(fault) for fault in verify(question, runner)] == []


@pytest.mark.postgres
@pytest.mark.parametrize("question", of("sql"), ids=lambda question: question.id)
def test_sql_solutions_pass(question, postgres):
    with LocalRunner(f"host={postgres.socket_dir} user=postgres dbname=postgres") as local:
        assert [str(fault) for fault in verify(question, local)] == []
