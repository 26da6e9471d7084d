"""Code blocks that don't parse in the language that their fence names."""

from __future__ import annotations

import ast
import json
import logging
import shutil
import subprocess
import sys
import tempfile
import textwrap
import tomllib
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import yaml

from question_bank.fences import Block, blocks
from question_bank.kinds.cloze import Cloze, fill_gaps
from question_bank.kinds.single import SingleChoice
from question_bank.loader import Bank
from question_bank.question import Question
from question_bank.schema import Fault

RULE = "code-block"
_SHELLCHECK_SECONDS = 60


def code_blocks(question: Question) -> Iterator[Fault]:
    """Blocks that name no language, or whose text isn't what they name."""
    for block in _blocks(question):
        if not block.language:
            message = "Name the language behind the fence, or `text` for what is none."
            yield Fault(question.path, block.line, message, RULE)
        elif parse := _PARSERS.get(block.language):
            try:
                line, problem = parse(textwrap.dedent(block.text))
            except (RecursionError, MemoryError):
                line, problem = 1, "it is nested too deeply"
            if problem:
                message = f"This is no {block.language}: {problem}. Mend it, or name the block `text`."
                yield Fault(question.path, block.line + line, message, RULE)


def shell_blocks(bank: Bank) -> Iterator[Fault]:
    """What shellcheck calls an error in blocks of shell; nothing where it isn't installed."""
    shellcheck = shutil.which("shellcheck") or shutil.which("shellcheck", path=str(Path(sys.executable).parent))
    found = [
        (question, block)
        for question in bank.questions.values()
        for block in _blocks(question)
        if block.language in ("bash", "sh", "shell")
    ]
    if not shellcheck or not found:
        return
    with tempfile.TemporaryDirectory(prefix="question-bank-") as folder:
        paths = [Path(folder) / f"{number}.sh" for number in range(len(found))]
        for path, (_, block) in zip(paths, found, strict=True):
            path.write_text(textwrap.dedent(block.text) + "\n", encoding="utf-8")
        command = [shellcheck, "--shell=bash", "--severity=error", "--format=json", *map(str, paths)]
        try:
            ran = subprocess.run(command, capture_output=True, check=False, timeout=_SHELLCHECK_SECONDS)
            complaints = json.loads(ran.stdout or b"[]")
        except (subprocess.TimeoutExpired, json.JSONDecodeError):
            return
    for complaint in complaints:
        question, block = found[int(Path(complaint["file"]).stem)]
        message = f"This is no bash: {complaint['message'].rstrip('.')}. Mend it, or name the block `text`."
        yield Fault(question.path, block.line + int(complaint["line"]), message, RULE)


def _blocks(question: Question) -> Iterator[Block]:
    document = question.document
    if document is None:
        return
    yield from blocks(document.prompt.text, document.prompt.line)
    for name, section in document.sections.items():
        text = section.text
        if name == "Text" and isinstance(question.body, Cloze):
            text = fill_gaps(text, _fillings(question.body).__getitem__)
        yield from blocks(text, section.line)
    for entries in document.lists.values():
        for entry in entries:
            yield from blocks(entry.feedback, entry.line + entry.text.count("\n") + 1)


def _fillings(body: Cloze) -> dict[str, str]:
    """What belongs into each gap."""
    fillings = {}
    for gap in body.gaps:
        if isinstance(gap.body, SingleChoice):
            fillings[gap.name] = next(option.text for option in gap.body.options if option.right)
        elif hasattr(gap.body.answer, "accept"):
            fillings[gap.name] = gap.body.answer.accept[0]
        else:
            fillings[gap.name] = f"{gap.body.answer.value:g}"
    return fillings


@lru_cache(maxsize=4_000)
def _python(text: str) -> tuple[int, str]:
    try:
        compile(text, "<block>", "exec", flags=ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except (SyntaxError, ValueError) as error:
        return getattr(error, "lineno", None) or 1, getattr(error, "msg", str(error))
    return 0, ""


def _json(text: str) -> tuple[int, str]:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return error.lineno, error.msg
    return 0, ""


def _toml(text: str) -> tuple[int, str]:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return 1, str(error)
    return 0, ""


def _yaml(text: str) -> tuple[int, str]:
    try:
        for _ in yaml.compose_all(text, Loader=yaml.SafeLoader):
            pass
    except yaml.MarkedYAMLError as error:
        return (error.problem_mark.line + 1 if error.problem_mark else 1), str(error.problem)
    except yaml.YAMLError as error:
        return 1, str(error)
    return 0, ""


@lru_cache(maxsize=4_000)
def _sql(text: str) -> tuple[int, str]:
    # It takes a third of a second to load, which only what checks SQL should pay.
    import sqlglot
    from sqlglot.errors import SqlglotError

    log = logging.getLogger("sqlglot")
    level = log.level
    log.setLevel(logging.CRITICAL)  # it warns of each statement that it knows by its first word alone
    try:
        sqlglot.parse(text, read="postgres")
    except SqlglotError as error:
        details = getattr(error, "errors", None) or [{}]
        problem = details[0].get("description") or str(error).splitlines()[0]
        return int(details[0].get("line") or 1), problem.rstrip(".")
    finally:
        log.setLevel(level)
    return 0, ""


_PARSERS: dict[str, Callable[[str], tuple[int, str]]] = {
    "python": _python,
    "py": _python,
    "json": _json,
    "toml": _toml,
    "yaml": _yaml,
    "yml": _yaml,
    "sql": _sql,
}
