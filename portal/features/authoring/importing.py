"""Questions of other systems: read, compared with what there is, and taken in as drafts after somebody decided."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from portal.errors import Conflict, Invalid, NotFound
from portal.features.authoring import queries
from portal.features.authoring.checking import known_of
from portal.features.authoring.service import AuthoringService
from portal.models import AuthoredQuestion, QuestionAction, QuestionImport, utcnow
from question_bank import Fault, Question, formats
from question_bank.formats import FormatRefused, Imported, Loss
from question_bank.importing import CannotImport, Placed, Plan, compare
from question_bank.loader import parse
from question_bank.transfer import GUESS, guess

ITEMS_MOST = 300
"""Questions that one import in the browser shows; a second import of the same file goes on behind them."""
LINES_MOST = 500
KEPT_DAYS = 7


@dataclass(frozen=True)
class Item:
    """A question that can be taken in."""

    question_id: str
    text: str
    faults: tuple[str, ...]
    """What the lint will object to."""
    losses: tuple[str, ...]
    like: str = ""
    """The id of a question that is nearly the same."""
    likeness: float = 0.0

    @property
    def question(self) -> Question | None:
        """The question, read again."""
        return parse(self.text, f"{self.question_id}.md", [])


@dataclass(frozen=True)
class Unread:
    """A part of a file that could not be read, and all that is wrong with it."""

    name: str
    """The file inside a package, or the file itself; empty for what concerns no part of it."""
    messages: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """What a file holds, and what importing it would do."""

    items: tuple[Item, ...]
    same: tuple[tuple[str, str], ...]
    """(id in the file, id in the bank) of what is there already."""
    faults: tuple[Unread, ...]
    """What could not be read."""
    losses: tuple[str, ...]
    """What is lost of questions that can't be taken in."""
    further: int = 0
    """Questions that were left for a second import."""

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Found:
        """What was stored."""
        items = [
            Item(**{**one, "faults": tuple(one["faults"]), "losses": tuple(one["losses"])})
            for one in stored["items"]
        ]
        return cls(
            tuple(items),
            tuple((one, other) for one, other in stored["same"]),
            tuple(Unread(one["name"], tuple(one["messages"])) for one in stored["faults"]),
            tuple(stored["losses"]),
            stored["further"],
        )


class ImportService:
    """Imports, in one database session."""

    def __init__(self, db: Session, texts: AuthoringService) -> None:
        self.db = db
        self.texts = texts

    def upload(
        self, user_id: int, data: bytes, file_name: str, format_name: str, module: str = "", topic: str = ""
    ) -> QuestionImport:
        """Read a file and keep what importing it would do; nothing of it is in the bank. Raises Invalid.

        `module` and `topic` are for questions whose file doesn't say.
        """
        file_name = " ".join(file_name.split())[-200:] or "upload"
        try:
            try:
                chosen = guess(data, file_name) if format_name == GUESS else formats.FORMATS.get(format_name)
            except FormatRefused as error:
                raise Invalid(
                    f"{file_name} looks like none of the formats: choose its format below."
                ) from error
            if chosen is None:
                raise Invalid("There is no such format. Choose one of the list.")
            found = chosen.read(data, file_name)
            there = self._there()
            plan = compare(
                found,
                there,
                taken=queries.ids(self.db),
                module=module or None,
                topic=topic or None,
                known=known_of(self.texts.content),
            )
        except (FormatRefused, CannotImport) as error:
            raise Invalid(str(error)) from error
        now = utcnow()
        self.db.execute(
            delete(QuestionImport).where(
                (QuestionImport.user_id == user_id)
                | (QuestionImport.created_at < now - timedelta(days=KEPT_DAYS))
            )
        )
        made = QuestionImport(
            user_id=user_id, file_name=file_name, format=chosen.name, found=asdict(_found(plan, found))
        )
        self.db.add(made)
        self.db.flush()
        return made

    def find(self, user_id: int, import_id: int) -> QuestionImport:
        """An import of this person's. Raises NotFound."""
        found = self.db.get(QuestionImport, import_id)
        if found is None or found.user_id != user_id:
            raise NotFound(
                "This import was decided on already, or another file was uploaded since. Upload it again."
            )
        return found

    def take_in(self, user_id: int, import_id: int, chosen: Collection[str]) -> tuple[list[str], list[str]]:
        """Make drafts of the chosen questions, and forget the import; the ids that were taken in, and those whose id
        somebody else took meanwhile. Raises NotFound, Invalid.
        """
        row = self.find(user_id, import_id)
        items = [item for item in Found.of(row.found).items if item.question_id in chosen]
        if not items:
            raise Invalid("Choose at least one question, or leave the page to import none.")
        title = formats.FORMATS[row.format].title if row.format in formats.FORMATS else row.format
        taken, left = [], []
        for item in items:
            try:
                self.texts.add(
                    user_id,
                    item.question_id,
                    item.text,
                    QuestionAction.IMPORTED,
                    f"From {row.file_name} ({title})",
                )
            except Conflict:
                left.append(item.question_id)
            else:
                taken.append(item.question_id)
        self.db.delete(row)
        return taken, left

    def _there(self) -> list[Question]:
        """All that there is: asked, retired, and drafts that can be read."""
        bank = self.texts.content.bank
        there = {**bank.retired, **bank.questions}
        drafts = self.db.execute(select(AuthoredQuestion.question_id, AuthoredQuestion.text))
        for question_id, text in drafts:
            draft = parse(text, f"{question_id}.md", []) if question_id not in there else None
            if draft is not None and draft.id == question_id:
                there[question_id] = draft
        return list(there.values())


def _found(plan: Plan, imported: Imported) -> Found:
    entries: list[tuple[Placed, str, float]] = [
        *((placed, "", 0.0) for placed in plan.new),
        *((near.placed, near.other.id, near.likeness) for near in plan.near),
    ]
    kept = entries[:ITEMS_MOST]
    names = {placed.question.id for placed, _like, _share in entries}
    losses: dict[str, list[str]] = {}
    for loss in plan.losses:
        losses.setdefault(loss.question, []).append(_loss(loss))
    items = [
        Item(
            placed.question.id,
            placed.text,
            tuple(dict.fromkeys(f"Line {fault.line}: {fault.message}" for fault in placed.faults))[:20],
            tuple(losses.get(placed.question.id, ()))[:20],
            like,
            share,
        )
        for placed, like, share in kept
    ]
    rest = [f"{loss.question}: {_loss(loss)}" for loss in plan.losses if loss.question not in names]
    return Found(
        tuple(items),
        plan.same[:LINES_MOST],
        _unread(plan.faults[:LINES_MOST]),
        tuple(rest[:LINES_MOST]),
        len(entries) - len(kept),
    )


def _loss(loss: Loss) -> str:
    return f"{loss.part}: {loss.message}"


def _unread(faults: Iterable[Fault]) -> tuple[Unread, ...]:
    gathered: dict[str, list[str]] = {}
    for fault in faults:
        where = f"line {fault.line}: " if fault.line > 1 else ""
        gathered.setdefault("" if fault.path == "." else fault.path, []).append(f"{where}{fault.message}")
    return tuple(Unread(name, tuple(dict.fromkeys(messages))) for name, messages in gathered.items())
