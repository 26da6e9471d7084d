"""What every lesson has to have, beyond being well-formed: length, parts, a table or a diagram, and where it leads on.

`python -m roadmap lint` and the preview apply these rules; loading doesn't, so that a half-written lesson can be shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from roadmap.markdown_lines import fenced_blocks, own_links, prose_lines
from roadmap.schema import LessonHead
from roadmap.sources import Source
from roadmap.values import Fault

WORDS = (700, 1800)
"""The least and the most words outside of code."""
OPENS_WITH = "The failure"
ENDS_WITH = ("Common mistakes", "What breaks first", "A trade-off to defend")
LANGUAGES = frozenset({"sql", "python", "go", "hcl", "yaml", "json", "text", "mermaid", "bash", "promql"})
"""Languages of code blocks: those that tests run or parse, and those without a grammar to break."""
QUICK = 3
"""Questions of the bank that stand at the end of each lesson."""
_TABLE = re.compile(r"^\|(\s*:?-{3,}:?\s*\|)+\s*$")


def of_lesson(lesson: Source[LessonHead]) -> Iterator[Fault]:
    """What is missing in a lesson, or too much."""

    def fault(line: int, message: str) -> Fault:
        return Fault(lesson.path, line, message)

    prose = prose_lines(lesson.body, lesson.body_line)
    blocks = fenced_blocks(lesson.body, lesson.body_line)
    words = sum(len(line.split()) for _, line in prose)
    least, most = WORDS
    if not least <= words <= most:
        yield fault(
            lesson.body_line, f"{words:,} words of prose: a lesson has {least:,} to {most:,}, and one idea"
        )
    headings = [(number, line.removeprefix("## ").strip()) for number, line in prose if line.startswith("## ")]
    titles = [title for _, title in headings]
    if titles[:1] != [OPENS_WITH]:
        yield fault(headings[0][0] if headings else lesson.body_line, f"the first section is '## {OPENS_WITH}'")
    if tuple(titles[-len(ENDS_WITH) :]) != ENDS_WITH:
        named = ", ".join(f"'## {title}'" for title in ENDS_WITH)
        yield fault(headings[-1][0] if headings else lesson.body_line, f"the last sections are {named}")
    for index, (number, title) in enumerate(headings):
        if title in titles[:index]:
            yield fault(number, f"the section '{title}' stands here twice")
    for number, line in prose:
        if line.startswith("# "):
            yield fault(number, "the page shows the lesson's title: sections begin with '## '")
    if not any(block.language == "mermaid" for block in blocks) and not any(
        _TABLE.match(line) for _, line in prose
    ):
        yield fault(lesson.body_line, "show a diagram (```mermaid) or a table")
    for block in blocks:
        if block.language not in LANGUAGES:
            known = ", ".join(sorted(LANGUAGES))
            yield fault(block.line - 1, f"name the language of this block: {known}")
    links = {link.id for link in own_links(lesson.body) if link.kind == "lessons"} - {lesson.data.id}
    if not links:
        yield fault(lesson.body_line, "link to another lesson: (/lessons/…)")
    if len(lesson.data.quick) != QUICK:
        yield fault(lesson.lines.of("quick"), f"name {QUICK} questions of the bank under 'quick'")
