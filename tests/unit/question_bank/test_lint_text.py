"""What the lint finds in Markdown, in code blocks, in classification and in what nobody filled in."""

from __future__ import annotations

import pytest

from question_bank import lint
from question_bank.kinds import KINDS
from question_bank.starting import start


@pytest.fixture
def found(bank, text):
    """(line, rule, message) of the faults of one question, whose prompt begins in line 12."""

    def of(**parts: str) -> list[tuple[int, str, str]]:
        loaded = bank({"row-locks/lost-update.md": text(**parts)})
        return [(fault.line, fault.rule, fault.message) for fault in lint(loaded)]

    return of


def prompt(text: str) -> str:
    return f"{text}\n\nTwo writers read the same row and both write. What keeps both changes?"


@pytest.mark.parametrize(
    ("written", "line", "says"),
    [
        ("It calls `read and waits.", 12, "backtick is never closed"),
        ("One.\n\nIt calls ``read` and waits.", 14, "backtick is never closed"),
        ("This is **bold and goes on.", 12, "`**` is never closed"),
        ("Put <name> there.", 12, "vanishes"),
        ("Put\n</div> there.", 13, "vanishes"),
        ("A list:\n- one\n- two", 13, "leave a line empty"),
        ("A table:\n| a | b |\n|---|---|\n| 1 | 2 |", 13, "leave a line empty"),
        ("| a | b |\n|---|---|\n| 1 |", 14, "This row has 1 columns"),
        ("| a |\n|---|---|\n| 1 | 2 |", 13, "head has 1 columns"),
        ("# A heading", 12, "Use `###`"),
        ("See [the guide](docs/guide.md).", 12, "leads nowhere"),
        ("See [the guide](https://).", 12, "leads nowhere"),
        ("See [the guide](javascript:alert).", 12, "leads nowhere"),
        ("See [](https://www.postgresql.org/docs/).", 12, "has no text"),
        ("See [the guide][manual].", 12, "no definition"),
    ],
)
def test_markdown_that_would_show_something_else(found, written, line, says):
    ((at, rule, message),) = found(prompt=prompt(written))
    assert (at, rule) == (line, "markdown")
    assert says in message


@pytest.mark.parametrize(
    "written",
    [
        "It calls `read\nand waits` here, and ``a`b`` there.",
        "**Bold**, `2 ** 10`, `<name>` and <https://www.postgresql.org/>, a < b and c > d.",
        "A list:\n\n- one\n  more\n- two\n\n  and more",
        "1. one\n2. two",
        "| a | `x \\| y` |\n|---|---|\n| 1 | `a \\| b` |",
        "See [the manual](https://www.postgresql.org/docs/16/sql-select.html#SQL-FOR-UPDATE-SHARE) (chapter 3).",
        "See [a page](https://en.wikipedia.org/wiki/Snapshot_(computer_storage)).",
        "See [the guide][manual].\n\n[manual]: https://www.postgresql.org/docs/",
        "A line.<br>Another.",
        "```text\n`open **open <name> [x](y)\n- glued\n```",
    ],
)
def test_markdown_that_is_fine(found, written):
    assert found(prompt=prompt(written)) == []


def test_markdown_of_feedback_and_explanation_is_read_too(found):
    options = (
        "- [ ] Read the row again later\n  > Later is as stale as `now when nothing checks.\n"
        "- [x] Check the version\n  > The write is accepted on unchanged data only, **always.\n"
    )
    explained = "A version changes with every write, so a write that names an old one matches <none> and can be noticed."
    faults = found(options=options, explanation=explained)
    assert [(line, rule) for line, rule, _ in faults] == [(17, "markdown"), (19, "markdown"), (23, "markdown")]


@pytest.mark.parametrize(
    ("language", "code", "line"),
    [
        ("python", "def f(:\n    pass", 13),
        ("python", "x = 1\ny = (2\n", 14),
        ("json", '{"a": 1,\n "b" 2}', 14),
        ("yaml", "a: 1\nb: [1, 2\n", None),
        ("toml", "a = \n", None),
        ("sql", "SELECT id FROM item WHERE (a = 1", None),
        ("", "anything", 12),
    ],
)
def test_code_that_is_not_what_its_fence_says(found, language, code, line):
    ((at, rule, message),) = found(prompt=prompt(f"```{language}\n{code}\n```"))
    assert rule == "code-block"
    assert line in (None, at)
    assert language in message


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("python", "async with a() as b:\n    await b\n..."),
        ("python", "    indented = 1\n    return_value = 2"),
        ("json", '[1, 2.5, null, {"a": "b"}]'),
        ("yaml", "a: !Ref Thing\n---\nb: [1, 2]"),
        ("sql", "SELECT DISTINCT ON (a) a, b FROM t ORDER BY a, b DESC FOR UPDATE SKIP LOCKED LIMIT 1"),
        (
            "sql",
            "INSERT INTO t (a) VALUES ($1) ON CONFLICT (a) DO UPDATE SET b = excluded.b RETURNING *;\nVACUUM ANALYZE t;",
        ),
        ("text", "def f(:"),
        ("promql", "rate(http_requests_total[5m]) /// "),
    ],
)
def test_code_that_is_fine(found, language, code):
    assert found(prompt=prompt(f"```{language}\n{code}\n```")) == []


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("python", "-" * 7_000 + "1"),
        ("python", "(" * 7_000),
        ("json", "[" * 7_000),
        ("yaml", "{a: " * 1_800),
        ("toml", "a = " + "[" * 7_000),
        ("sql", "SELECT " + "(" * 7_000),
    ],
)
def test_code_that_is_nested_too_deeply_is_a_fault_like_any_other(found, language, code):
    faults = found(prompt=prompt(f"```{language}\n{code}\n```"))
    (message,) = [message for _, rule, message in faults if rule == "code-block"]
    assert f"no {language}" in message


def test_code_in_options_and_feedback_is_read_too(found):
    options = (
        "- [ ] This:\n\n  ```python\n  def f(:\n  ```\n  > Later is as stale as now when nothing checks.\n"
        "- [x] Check the version\n  > The write is accepted on unchanged data only:\n  > ```json\n  > {1}\n  > ```\n"
    )
    faults = found(options=options)
    assert [(line, rule) for line, rule, _ in faults] == [(19, "code-block"), (25, "code-block")]


def test_the_gaps_of_a_cloze_are_filled_before_its_code_is_read(found):
    gaps = "gaps:\n  n: {accept: ['%s'], mistakes: [{accept: [zz], why: No.}]}\n"
    body = "Fill it.\n\n## Text\n\n```python\nx = [[?n]]\n```"
    assert found(kind="cloze", extra=gaps % "1 + 1", prompt=body) == []
    ((line, rule, _),) = found(kind="cloze", extra=gaps % "1 +", prompt=body)
    assert (line, rule) == (19, "code-block")


@pytest.mark.parametrize(
    ("extra", "missing"),
    [("level: ''", None), ("level: senior", "`skills`"), ("skills: [cost]\n# level:", "`level`")],
)
def test_level_and_skills_are_asked_for(bank, text, extra, missing):
    loaded = bank({"row-locks/lost-update.md": text(extra=extra)})
    messages = [fault.message for fault in lint(loaded)]
    assert len(messages) == 1
    assert missing is None or missing in messages[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_starting_file_is_clean_but_for_what_has_to_be_filled_in(kind, tmp_path, bank):
    start(tmp_path, kind, "a-new-one", "a-module", "a-topic")
    faults = lint(bank({}))
    assert len(faults) >= 3
    assert {fault.rule for fault in faults} == {"placeholder"}
