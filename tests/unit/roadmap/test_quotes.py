"""Code that a lesson quotes: the text that comes, and what is said when it isn't there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from roadmap import load
from roadmap.quotes import CannotQuote, quotation

if TYPE_CHECKING:
    from tests.unit.roadmap.conftest import ContentFolder

SOURCE = (
    '''\
"""A module."""

LIMIT = 5


class Relay:
    """Sends."""

    @property
    def name(self):
        return "relay"

    async def run(self):
        """Until it is told to stop.

        ```
        not the end
        ```
        """
        return LIMIT


def long():
'''
    + "    pass\n" * 61
)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    (root / "reference_impl").mkdir(parents=True)
    (root / "reference_impl/relay.py").write_text(SOURCE, encoding="utf-8")
    (root / "reference_impl/compose.yaml").write_text(
        "services:\n  redis:\n    image: r\n  kafka:\n", encoding="utf-8"
    )
    (root / "secret.py").write_text("KEY = 1\n", encoding="utf-8")
    return root


def quoted(repository: Path, flags: str) -> str:
    return quotation(repository, flags).text


def test_a_function_comes_with_its_decorators_and_without_its_indentation(repository: Path) -> None:
    found = quotation(repository, "quote=reference_impl/relay.py#Relay.name")

    assert found.text == '@property\ndef name(self):\n    return "relay"'
    assert found.line == 9


def test_assignments_and_lines_between_two_texts_can_be_quoted(repository: Path) -> None:
    assert quoted(repository, "quote=reference_impl/relay.py#LIMIT") == "LIMIT = 5"
    flags = 'quote=reference_impl/compose.yaml from="  redis:" to="image"'
    assert quoted(repository, flags) == "redis:\n  image: r"
    assert quoted(repository, "quote=reference_impl/compose.yaml from=kafka") == "kafka:"


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ("quote=reference_impl/none.py#x", "there is no file"),
        ("quote=reference_impl/relay.py#Relay.stop", "has no 'Relay.stop'"),
        ("quote=reference_impl/relay.py#long", "more than 60"),
        ("quote=reference_impl/relay.py", "say what of"),
        ("quote=reference_impl/compose.yaml#redis", "is no Python file"),
        (
            "quote=reference_impl/compose.yaml from=mysql",
            "no line of reference_impl/compose.yaml holds 'mysql'",
        ),
        ("quote=reference_impl/compose.yaml from=kafka to=redis", "behind line 4 holds 'redis'"),
        ("quote=secret.py#KEY", "can't be quoted"),
        ("quote=reference_impl/../secret.py#KEY", "can't be quoted"),
        ("quote=reference_impl/relay.py#LIMIT from='", "don't match"),
    ],
)
def test_what_cannot_be_quoted_says_why(repository: Path, flags: str, says: str) -> None:
    with pytest.raises(CannotQuote, match=says):
        quotation(repository, flags)


def test_the_body_holds_the_code_and_a_link_to_it(content: ContentFolder, repository: Path) -> None:
    text = (content.root / "lessons/levels.md").read_text(encoding="utf-8")
    content.write(
        "lessons/levels.md", text + "\n```python quote=reference_impl/relay.py#Relay.run\n```\n\nBehind it.\n"
    )

    catalogue = load(content.root, repository)

    assert catalogue.faults == ()
    body = catalogue.lessons["levels"].body
    assert "````python\nasync def run(self):\n" in body
    assert (
        "````\n\n[`reference_impl/relay.py, Relay.run`](/code/reference_impl/relay.py#line-13)\n\nBehind it."
        in body
    )
    before = catalogue.lessons["levels"].content_hash
    (repository / "reference_impl/relay.py").write_text(
        SOURCE.replace("return LIMIT", "return 6"), encoding="utf-8"
    )
    again = load(content.root, repository).lessons["levels"]
    assert "return 6" in again.body
    assert again.content_hash == before


@pytest.mark.parametrize(
    ("block", "fault"),
    [
        ("```python quote=reference_impl/relay.py#Gone\n```", "reference_impl/relay.py has no 'Gone'"),
        ("```python quote=reference_impl/relay.py#LIMIT\nLIMIT = 4\n```", "a quoting fence has nothing in it"),
    ],
)
def test_a_quotation_that_fails_is_a_fault_with_its_line(
    content: ContentFolder, repository: Path, block: str, fault: str
) -> None:
    text = (content.root / "lessons/levels.md").read_text(encoding="utf-8")
    content.write("lessons/levels.md", text + block + "\n")

    (found,) = load(content.root, repository).faults

    assert fault in found.message
    assert (found.path, found.line) == ("lessons/levels.md", text.count("\n") + 1)


def test_a_fence_that_only_shows_how_one_quotes_stays(content: ContentFolder, repository: Path) -> None:
    shown = "````text\n```python quote=reference_impl/relay.py#Gone\n```\n````"
    text = (content.root / "lessons/levels.md").read_text(encoding="utf-8")
    content.write("lessons/levels.md", f"{text}\n{shown}\n")

    catalogue = load(content.root, repository)

    assert catalogue.faults == ()
    assert shown in catalogue.lessons["levels"].body
