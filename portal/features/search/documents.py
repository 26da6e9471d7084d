"""What can be found: one document for each thing that authors wrote."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from portal.content import Content
from question_bank import Question

_FENCE = re.compile(r"^(`{3,}|~{3,})[^\n]*\n(.*?)^\1[ \t]*$", re.S | re.M)
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_MARKS = re.compile(r"[*_`#>|~]+|-{3,}|^\s*[-+]\s|^\s*\d+\.\s", re.M)


class Found(StrEnum):
    """The kinds of thing that a search finds, in the order in which they are offered."""

    LESSON = "lesson"
    LAB = "lab"
    QUESTION = "question"
    TERM = "term"
    MODULE = "module"
    TOPIC = "topic"
    ACTIVITY = "activity"


@dataclass(frozen=True, slots=True)
class Document:
    """One thing that can be found."""

    kind: Found
    id: str
    title: str
    words: str
    """Other names, and words that stand for it."""
    text: str
    """Without markup."""
    context: str
    """Where it belongs: the title of its module."""


def documents(content: Content) -> Iterator[Document]:
    """Everything that can be found."""
    catalogue = content.roadmap
    modules = catalogue.modules
    homes = {lesson: module.title for module in modules.values() for lesson in module.lessons}
    for lesson in catalogue.lessons.values():
        topics = " ".join(catalogue.topics[topic].title for topic in lesson.topics)
        text = plain(f"{lesson.summary}\n\n{lesson.body}")
        yield Document(Found.LESSON, lesson.id, lesson.title, topics, text, homes.get(lesson.id, ""))
    for lab in content.labs.labs.values():
        tasks = " ".join(task.title for task in lab.tasks)
        yield Document(Found.LAB, lab.id, lab.title, tasks, plain(lab.summary), "")
    for question in content.bank.questions.values():
        home = modules.get(question.module)
        yield Document(
            Found.QUESTION,
            question.id,
            question_title(question),
            " ".join(catalogue.topics[topic].title for topic in question.topics if topic in catalogue.topics),
            plain(question.prompt),
            home.title if home else "",
        )
    for term in catalogue.terms.values():
        yield Document(Found.TERM, term.id, term.title, " ".join(term.also), plain(term.text), "")
    for module in modules.values():
        text = plain(" ".join((module.summary, *module.objectives)))
        yield Document(Found.MODULE, module.id, module.title, "", text, "")
        for topic in module.topics:
            yield Document(Found.TOPIC, topic.id, topic.title, "", plain(topic.summary), module.title)
    for activity in catalogue.activities.values():
        home = modules.get(activity.module)
        yield Document(
            Found.ACTIVITY,
            activity.id,
            activity.title,
            str(activity.kind),
            plain(activity.brief),
            home.title if home else "",
        )


def question_title(question: Question) -> str:
    """The beginning of its prompt, in one line."""
    line = " ".join(plain(question.prompt).split())
    return line if len(line) <= 110 else f"{line[:109].rpartition(' ')[0]}…"


def plain(text: str) -> str:
    """Markdown without its signs. Code stays: people search for it."""
    text = _FENCE.sub(r"\2", text)
    text = _LINK.sub(r"\1", text)
    return " ".join(_MARKS.sub(" ", text).split())
