"""Questions for other systems, with what each format can't carry."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from portal.errors import Invalid, NotFound
from portal.features.authoring.service import AuthoringService
from question_bank import Question, formats
from question_bank.formats import Exported, Format, FormatRefused
from question_bank.loader import parse

QUESTIONS_MOST = 5_000


@dataclass(frozen=True)
class Export:
    """A file for another system."""

    format: Format
    made: Exported
    unusable: tuple[str, ...]
    """Ids of drafts that can't be used yet, and of what is not there any more."""

    @property
    def complete(self) -> bool:
        """Whether everything that was asked for is in it, whole."""
        return not self.made.losses and not self.unusable

    @property
    def file_name(self) -> str:
        """What to call the file."""
        return f"questions{self.format.extensions[0]}"


def export(texts: AuthoringService, ids: Iterable[str], format_name: str) -> Export:
    """These questions as a file: what learners see of each, or else its draft. Raises Invalid."""
    chosen = formats.FORMATS.get(format_name)
    if chosen is None or not chosen.can_export:
        raise Invalid("There is no such format to export to. Choose one of the list.")
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        raise Invalid("Tick the questions to export, or choose all that the filter finds.")
    questions: list[Question] = []
    unusable: list[str] = []
    for question_id in wanted[:QUESTIONS_MOST]:
        found = texts.content.bank.questions.get(question_id) or _draft(texts, question_id)
        if found is None:
            unusable.append(question_id)
        else:
            questions.append(found)
    if not questions:
        raise Invalid("None of these questions can be used yet: mend their faults first.")
    try:
        made = chosen.write(questions)
    except FormatRefused as error:
        raise Invalid(str(error)) from error
    return Export(chosen, made, tuple(unusable))


def _draft(texts: AuthoringService, question_id: str) -> Question | None:
    try:
        return parse(texts.working(question_id).text, f"{question_id}.md", [])
    except NotFound:
        return None
