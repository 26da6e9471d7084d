"""What every lesson has to have, and the preview of one that is being written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from roadmap import lint, preview
from roadmap.preview import MAX_TEXT

if TYPE_CHECKING:
    from tests.unit.roadmap.conftest import ContentFolder

LESSON = "lessons/constraints-first.md"


def test_a_whole_lesson_keeps_the_rules(content: ContentFolder) -> None:
    assert lint(content.root) == ()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("says what it says. ", "", "words of prose: a lesson has 700 to 1,800"),
        (
            "says what it says. ",
            "says what it says. " * 5,
            "words of prose",
        ),
        ("## The failure", "## Beginning", "the first section is '## The failure'"),
        (
            "## What breaks first",
            "## What holds",
            "the last sections are '## Common mistakes', '## What breaks first'",
        ),
        (
            "## Common mistakes",
            "## The failure\n\nAgain.\n\n## Common mistakes",
            "the section 'The failure' stands here twice",
        ),
        ("## The failure", "# Constraints\n\n## The failure", "the page shows the lesson's title"),
        ("|---|---|", "", "show a diagram"),
        ("One.\n", "```\nx\n```\n", "name the language of this block"),
        ("(/lessons/levels)", "(/lessons/constraints-first)", "link to another lesson"),
        ("which-check, ", "", "name 3 questions of the bank under 'quick'"),
    ],
)
def test_what_a_lesson_lacks_is_told_by_lint_and_preview(
    content: ContentFolder, old: str, new: str, says: str
) -> None:
    text = (content.root / LESSON).read_text(encoding="utf-8").replace(old, new)
    content.write(LESSON, text)

    assert [fault for fault in lint(content.root) if fault.path == LESSON and says in fault.message]
    assert content.load().faults == ()
    assert [fault for fault in preview(text, content.load()).faults if says in fault.message]


def test_a_preview_shows_what_there_is(content: ContentFolder) -> None:
    text = (content.root / LESSON).read_text(encoding="utf-8")

    shown = preview(text.replace("topics: [constraints,", "topics: [constraint,"), content.load())

    assert (shown.title, shown.minutes) == ("Constraints first", 12)
    assert shown.body.lstrip().startswith("## The failure")
    assert [str(fault) for fault in shown.faults] == [
        "lesson.md:6: there is no topic 'constraint'; did you mean 'constraints'?"
    ]


@pytest.mark.parametrize(
    "text", ["", "no front matter", "---\nid: x\n---\n", "---\n: [\n---\n\n## The failure\n", "---"]
)
def test_what_is_no_lesson_has_faults_and_no_body(content: ContentFolder, text: str) -> None:
    shown = preview(text, content.load())

    assert shown.faults
    assert shown.body == ""


def test_a_text_without_end_is_refused(content: ContentFolder) -> None:
    with pytest.raises(ValueError, match="at most 100,000"):
        preview("x" * (MAX_TEXT + 1), content.load())
