"""The code that lessons print: Python, Go, HCL, YAML, JSON and shell parse, diagrams are drawn, SQL runs.

The SQL blocks of one lesson run in order in one new database, statement by statement, as a reader types them.
A block marked `sql noexec` is a fragment or needs several sessions; the lesson shows its outcome instead.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
from typing import TYPE_CHECKING

import psycopg
import pytest
import yaml

from roadmap import load
from roadmap.markdown_lines import FencedBlock, fenced_blocks
from sandboxes.services.base import find_program
from tests.conftest import ROOT
from tests.fixtures.golang import gofmt

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.fixtures.postgres import ScratchServer

LESSONS = load().lessons
MERMAID = ROOT / "node_modules" / "mermaid" / "dist" / "mermaid.min.js"
ERROR_WANTED = re.compile(r"^--\s*ERROR:\s*(?P<text>.+)$", re.MULTILINE)
"""A comment that says with which error the statement above it is to end."""


def _blocks(language: str) -> list[tuple[str, FencedBlock]]:
    return [
        (lesson.id, block)
        for lesson in LESSONS.values()
        for block in fenced_blocks(lesson.body)
        if block.language == language
    ]


def _name(value: object) -> str:
    return f"line-{value.line}" if isinstance(value, FencedBlock) else str(value)


@pytest.mark.parametrize(("lesson", "block"), _blocks("python"), ids=_name)
def test_python_in_a_lesson_parses(lesson: str, block: FencedBlock) -> None:
    ast.parse(block.code, filename=f"{lesson}.md")


@pytest.mark.parametrize(("lesson", "block"), _blocks("go"), ids=_name)
def test_go_in_a_lesson_parses_and_is_formatted(lesson: str, block: FencedBlock) -> None:
    done = subprocess.run([gofmt()], input=block.code, capture_output=True, text=True, timeout=60, check=False)

    assert done.stderr == "", f"{lesson}, body line {block.line}"
    assert done.stdout.rstrip() == block.code.rstrip(), f"{lesson}, body line {block.line}"


@pytest.mark.parametrize(("lesson", "block"), [*_blocks("yaml"), *_blocks("json")], ids=_name)
def test_yaml_and_json_in_a_lesson_parse(lesson: str, block: FencedBlock) -> None:
    documents = list(yaml.safe_load_all(block.code)) if block.language == "yaml" else [json.loads(block.code)]

    assert all(document is not None for document in documents), f"{lesson}, body line {block.line}"


def test_shell_in_lessons_parses() -> None:
    def fault(code: str) -> str:
        done = subprocess.run(
            ["bash", "-n"], input=code, capture_output=True, text=True, timeout=60, check=False
        )
        return done.stderr

    assert "unexpected" in fault("if true; then")
    found = {f"{lesson}, body line {block.line}": fault(block.code) for lesson, block in _blocks("bash")}
    assert not any(found.values()), found


@pytest.mark.cloud
@pytest.mark.parametrize(("lesson", "block"), _blocks("hcl"), ids=_name)
def test_hcl_in_a_lesson_parses_and_is_formatted(lesson: str, block: FencedBlock) -> None:
    terraform = find_program("terraform")
    assert terraform is not None
    done = subprocess.run(
        [terraform, "fmt", "-"],
        input=block.code + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, f"{lesson}, body line {block.line}: {done.stderr}"
    assert done.stdout.rstrip() == block.code.rstrip(), f"{lesson}, body line {block.line}"


@pytest.mark.browser
def test_every_diagram_can_be_drawn(browser: Browser) -> None:
    page = browser.new_page()
    page.goto("about:blank")
    page.add_script_tag(path=MERMAID)
    draw = """async (text) => {
        try { await mermaid.render('d', text); return ''; } catch (error) { return String(error.message ?? error); }
    }"""
    assert page.evaluate(draw, "flowchart LR\n a --> ") != "", "a broken diagram has to be found"

    faults = {
        f"{lesson}, body line {block.line}": said
        for lesson, block in _blocks("mermaid")
        if (said := page.evaluate(draw, block.code))
    }

    assert faults == {}


@pytest.mark.postgres
@pytest.mark.parametrize("lesson", sorted({lesson for lesson, _ in _blocks("sql")}))
def test_sql_in_a_lesson_runs(lesson: str, postgres: ScratchServer) -> None:
    with postgres.database(f"lesson_{lesson.replace('-', '_')}"[:60]) as connection:
        for block in fenced_blocks(LESSONS[lesson].body):
            if block.language == "sql" and "noexec" not in block.flags:
                run_block(connection, block)


def run_block(connection: psycopg.Connection[tuple[object, ...]], block: FencedBlock) -> None:
    """Run the statements; one with a comment `-- ERROR: text` behind it has to fail with that text."""
    for statement, wanted in statements(block.code):
        error = _error_of(connection, statement)
        place = f"body line {block.line}: {statement}"
        if wanted is None:
            assert error is None, f"{place}\n{error}"
        else:
            assert error is not None, f"{place}\nno error, but the lesson says {wanted!r}"
            assert wanted in error, f"{place}\nwanted {wanted!r}, got {error!r}"
            if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                connection.execute("ROLLBACK")


def _error_of(connection: psycopg.Connection[tuple[object, ...]], statement: str) -> str | None:
    try:
        connection.execute(statement.encode())
    except psycopg.Error as error:
        return str(error)
    return None


def statements(code: str) -> list[tuple[str, str | None]]:
    """The statements of a block, each with the error that a comment behind it announces, or None."""
    pieces = [piece for piece in _split(code) if piece.strip()]
    result: list[tuple[str, str | None]] = []
    for index, piece in enumerate(pieces):
        statement = ERROR_WANTED.sub("", piece).strip()
        if not _without_comments(statement):
            continue
        following = pieces[index + 1].lstrip() if index + 1 < len(pieces) else ""
        wanted = ERROR_WANTED.match(following)
        result.append((statement, wanted["text"].strip() if wanted else None))
    return result


def _split(code: str) -> list[str]:
    """Cut at semicolons outside of quotes, dollar quotes and comments."""
    token = re.compile(r"--[^\n]*|'(?:[^']|'')*'|\"[^\"]*\"|\$(\w*)\$.*?\$\1\$|;|[^;'\"$-]+|.", re.DOTALL)
    pieces, current = [], ""
    for match in token.finditer(code):
        if match[0] == ";":
            pieces.append(current)
            current = ""
        else:
            current += match[0]
    return [*pieces, current]


def _without_comments(statement: str) -> str:
    return re.sub(r"--[^\n]*", "", statement).strip()


class TestStatements:
    """The reader of SQL blocks is itself code that could hide a failure."""

    def test_a_semicolon_in_quotes_ends_nothing(self) -> None:
        code = "SELECT ';'; DO $$ BEGIN NULL; END $$; SELECT 1 -- a; b\n;"

        assert [text for text, _ in statements(code)] == [
            "SELECT ';'",
            "DO $$ BEGIN NULL; END $$",
            "SELECT 1 -- a; b",
        ]

    def test_an_announced_error_belongs_to_the_statement_before(self) -> None:
        assert statements("SELECT 1;\n-- ERROR: division by zero\nSELECT 2;") == [
            ("SELECT 1", "division by zero"),
            ("SELECT 2", None),
        ]

    @pytest.mark.postgres
    def test_an_unannounced_error_fails(self, postgres: ScratchServer) -> None:
        block = FencedBlock("sql", (), "SELECT 1/0;", 1, closed=True)

        with (
            postgres.database("statements_unannounced") as connection,
            pytest.raises(AssertionError, match="division by zero"),
        ):
            run_block(connection, block)

    @pytest.mark.postgres
    def test_an_announced_error_that_does_not_come_fails(self, postgres: ScratchServer) -> None:
        block = FencedBlock("sql", (), "SELECT 1;\n-- ERROR: division by zero\n", 1, closed=True)

        with (
            postgres.database("statements_announced") as connection,
            pytest.raises(AssertionError, match="no error"),
        ):
            run_block(connection, block)
