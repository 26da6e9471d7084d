"""The list of sources against a catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from roadmap import coverage

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.roadmap.conftest import ContentFolder

LIST = """\
documents:
  - id: the-plan
    title: The plan
    about: A plan for three months of relational data.
    entries:
      - {id: p-1, kind: heading, title: Month one, refs: [track/databases, module/schema]}
      - {id: p-2, kind: item, title: Types that fit, refs: [topic/data-types, lab/never-oversell]}
"""


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    path = tmp_path / "sources.yaml"
    path.write_text(LIST, encoding="utf-8")
    return path


def test_what_is_covered_has_no_fault_and_a_page(content: ContentFolder, listed: Path) -> None:
    catalogue = content.load()

    found = coverage.read(catalogue, {"never-oversell"}, listed)

    assert found.faults == ()
    page = coverage.as_markdown(found, catalogue)
    assert "| [The plan](#the-plan) | 1 | 1 | 4 |" in page
    assert "| `p-1` | **Month one** | Databases (`track/databases`) · Schema design (`module/schema`) |" in page
    assert "| `p-2` | Types that fit | Data types (`topic/data-types`) · `lab/never-oversell` |" in page


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            "topic/data-types",
            "topic/data-type",
            "sources.yaml:7: there is no topic 'data-type'; did you mean 'data-types'?",
        ),
        ("lab/never-oversell", "lab/oversell", "sources.yaml:7: there is no lab 'oversell'"),
        ("topic/data-types", "book/ddia", "sources.yaml:7: 'book/ddia' names no kind of entry"),
        ("id: p-2", "id: p-1", "sources.yaml:7: the id 'p-1' is already taken at line 6"),
        (
            "[topic/data-types, lab/never-oversell]",
            "[]",
            "sources.yaml:7: documents, item 1, entries, item 2, refs",
        ),
    ],
)
def test_what_leads_nowhere_is_a_fault_with_its_line(
    content: ContentFolder, listed: Path, old: str, new: str, fault: str
) -> None:
    listed.write_text(LIST.replace(old, new, 1), encoding="utf-8")

    faults = [str(each) for each in coverage.read(content.load(), {"never-oversell"}, listed).faults]

    assert [each for each in faults if each.startswith(fault)], faults
