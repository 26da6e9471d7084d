"""Brings imported questions into a bank: what is there already stays out, what is nearly there waits for a decision.

    plan = prepare(FORMATS["gift"].read(data, "quiz.gift"), root)
    paths = carry_out(plan, root, take={"lost-update-2"})    # near-duplicates that somebody wants all the same

A question that has faults, by the lint or because parts of it are still to be written, is stored as a draft: its file
name starts with `_`, so it is no part of the bank until somebody completes and renames it.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from question_bank.formats.intake import NO_MODULE, free_id, renamed
from question_bank.formats.interface import Imported, Loss
from question_bank.likeness import Index
from question_bank.lint import Known, lint_question
from question_bank.loader import Bank, load, load_file, parse
from question_bank.question import Question
from question_bank.schema import MAX_FILES, CannotWrite, Fault, QuestionBankError
from question_bank.starting import PLACEHOLDER
from question_bank.writer import write


class CannotImport(QuestionBankError):
    """Questions can't be stored; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A question that can be stored."""

    question: Question
    """Under its final id."""
    text: str
    """Of its file."""
    path: str
    """Relative to the bank's root; the file name of a draft starts with `_`."""
    faults: tuple[Fault, ...]
    """What keeps it from being more than a draft."""

    @property
    def draft(self) -> bool:
        """Whether it is stored as a draft."""
        return bool(self.faults)


@dataclass(frozen=True, slots=True)
class Near:
    """An imported question that is nearly the same as another, for somebody to decide on."""

    placed: Placed
    other: Question
    likeness: float
    """From 0.5 to 1: the share of wording in common."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What an import would do."""

    new: tuple[Placed, ...]
    near: tuple[Near, ...]
    """Stored only when asked for."""
    same: tuple[tuple[str, str], ...]
    """(id in the file, id in the bank) of questions that are there already."""
    faults: tuple[Fault, ...]
    losses: tuple[Loss, ...]


def prepare(
    imported: Imported,
    root: Path,
    *,
    module: str | None = None,
    topic: str | None = None,
    known: Known | None = None,
) -> Plan:
    """What importing would do to the bank below `root`; nothing is written.

    `module` and `topic` are for questions whose file doesn't say. Raises `CannotImport` when the bank can't take any.
    """
    bank, drafts = _existing(root)
    there = [*bank.questions.values(), *drafts]
    names = {path.stem.removeprefix("_") for path in root.rglob("*.md")}
    return compare(imported, there, taken=names, module=module, topic=topic, known=known)


def compare(
    imported: Imported,
    there: Sequence[Question],
    *,
    taken: Collection[str] = (),
    module: str | None = None,
    topic: str | None = None,
    known: Known | None = None,
) -> Plan:
    """What importing would do to a bank of these questions; `taken` are further ids that nothing may have.

    Raises `CannotImport` when the bank can't take any.
    """
    if len(there) + len(imported.questions) > MAX_FILES:
        raise CannotImport(f"The bank would have more than {MAX_FILES:,} files: split it.")
    index = Index(there)
    taken = {*taken, *(question.id for question in there)}
    taken |= {old for question in there for old in question.replaces}
    new: list[Placed] = []
    near: list[Near] = []
    same: list[tuple[str, str]] = []
    faults, losses = list(imported.faults), list(imported.losses)
    for question in imported.questions:
        if twin := index.same(question):
            same.append((question.id, twin.id))
            losses = [loss for loss in losses if loss.question != question.id]
            continue
        likest = index.nearest(question)
        own_id = free_id(question.id, taken)
        try:
            placed = _placed(question, _meta(question, own_id, module, topic, taken), known)
        except CannotWrite as problem:
            faults.append(Fault(".", 1, f"`{question.id}` can't be stored: {problem}", "import"))
            continue
        if own_id != question.id:
            losses = [replace(x, question=own_id) if x.question == question.id else x for x in losses]
            losses.append(Loss(own_id, "id", f"`{question.id}` is taken in the bank by another question."))
        taken.add(own_id)
        index.add(placed.question)
        if likest:
            near.append(Near(placed, *likest))
        else:
            new.append(placed)
    return Plan(tuple(new), tuple(near), tuple(same), tuple(faults), tuple(losses))


def carry_out(plan: Plan, root: Path, take: Collection[str] | None = ()) -> list[str]:
    """Store what is new, and the near-duplicates with the ids in `take` (None: all of them); the paths written.

    Raises `CannotImport` for an id that isn't among them, and when a file can't be written: what was written before
    stays.
    """
    waiting = {entry.placed.question.id: entry.placed for entry in plan.near}
    if unknown := set(take or ()) - set(waiting):
        raise CannotImport(f"There is no near-duplicate `{sorted(unknown)[0]}` in this import.")
    chosen = waiting.values() if take is None else (waiting[name] for name in waiting if name in take)
    return [_store(placed, root) for placed in (*plan.new, *chosen)]


def _store(placed: Placed, root: Path) -> str:
    path = root / placed.path
    half = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            half.write_text(placed.text, encoding="utf-8")
            os.link(half, path)  # whole or not at all, and never over a file that is there
        finally:
            half.unlink(missing_ok=True)
    except FileExistsError as error:
        raise CannotImport(f"{placed.path} came into being meanwhile: import again.") from error
    except OSError as error:
        raise CannotImport(f"{placed.path} can't be written: {error.strerror}.") from error
    return placed.path


def _existing(root: Path) -> tuple[Bank, list[Question]]:
    """The bank's questions, and those of its drafts that can be read."""
    if not root.exists():
        return Bank({}), []
    if not root.is_dir():
        raise CannotImport(f"{root} is no folder: give the folder of the bank.")
    ignored: list[Fault] = []
    paths = sorted(path for path in root.rglob("_*.md") if path.is_file() and not path.is_symlink())[:MAX_FILES]
    return load(root), [draft for path in paths if (draft := load_file(path, root, ignored))]


def _meta(
    question: Question, own_id: str, module: str | None, topic: str | None, taken: set[str]
) -> dict[str, Any]:
    meta: dict[str, Any] = {"id": own_id}
    if module and question.module == NO_MODULE:
        meta["module"] = module
    if (topic or module) and question.topics == (NO_MODULE,):
        meta["topics"] = (topic or module,)
    if gone := tuple(old for old in question.replaces if old in taken):
        meta["replaces"] = tuple(old for old in question.replaces if old not in gone)
    return meta


def _placed(question: Question, meta: dict[str, Any], known: Known | None) -> Placed:
    own = renamed(question, meta.pop("id"), **meta)
    text = write(own)
    path = f"{own.topics[0]}/{own.id}.md"
    faults: list[Fault] = []
    stored = parse(text, path, faults)
    if stored is None:
        raise CannotWrite(faults[0].message)
    faults = lint_question(stored, known)
    faults += _unwritten(text, path)
    if not faults:
        return Placed(stored, text, path, ())
    return Placed(stored, text, f"{own.topics[0]}/_{own.id}.md", tuple(sorted(faults)))


def _unwritten(text: str, path: str) -> Iterable[Fault]:
    """The places that wait for an author."""
    for number, line in enumerate(text.split("\n"), start=1):
        if PLACEHOLDER.search(line):
            yield Fault(path, number, "Write what stands between ‹ and ›.", "import")
