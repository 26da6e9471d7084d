"""Anki, out only: a deck with a note for each question, tagged by module, topic, level and difficulty.

A card asks on its front and answers on its back, whatever the kind; who learns with it marks oneself. The package is in
the form that every Anki since 2.1 reads (schema 11). Notes keep their identity, so a later export updates them.
"""

from __future__ import annotations

import hashlib
import html
import io
import json
import re
import sqlite3
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from question_bank.formats.common import sampled
from question_bank.formats.interface import Exported, Format, Loss
from question_bank.formats.markup import to_html
from question_bank.formats.tags import to_tags
from question_bank.formats.text import without_control
from question_bank.kinds import KINDS
from question_bank.preview import after_answer, answering
from question_bank.question import Question

_EPOCH = 1_700_000_000
"""A fixed moment in place of now, so that the same questions give the same bytes."""
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_MODEL_ID = 1_703_268_117_441
_DECK_ID = 1_703_268_117_442
_FIELDS = ("Id", "Front", "Back")
_SEED = 1
_CSS = (
    ".card { font: 18px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 0 auto; text-align: left; }\n"
    "pre { background: rgba(127,127,127,.15); padding: .6rem; overflow-x: auto; white-space: pre-wrap; }\n"
    "table { border-collapse: collapse; } td, th { border: 1px solid #999; padding: .2rem .6rem; }\n"
)
_SCHEMA = """
CREATE TABLE col (id integer primary key, crt integer not null, mod integer not null, scm integer not null,
    ver integer not null, dty integer not null, usn integer not null, ls integer not null, conf text not null,
    models text not null, decks text not null, dconf text not null, tags text not null);
CREATE TABLE notes (id integer primary key, guid text not null, mid integer not null, mod integer not null,
    usn integer not null, tags text not null, flds text not null, sfld integer not null, csum integer not null,
    flags integer not null, data text not null);
CREATE TABLE cards (id integer primary key, nid integer not null, did integer not null, ord integer not null,
    mod integer not null, usn integer not null, type integer not null, queue integer not null, due integer not null,
    ivl integer not null, factor integer not null, reps integer not null, lapses integer not null,
    left integer not null, odue integer not null, odid integer not null, flags integer not null, data text not null);
CREATE TABLE revlog (id integer primary key, cid integer not null, usn integer not null, ease integer not null,
    ivl integer not null, lastIvl integer not null, factor integer not null, time integer not null,
    type integer not null);
CREATE TABLE graves (usn integer not null, oid integer not null, type integer not null);
CREATE INDEX ix_notes_usn ON notes (usn);
CREATE INDEX ix_notes_csum ON notes (csum);
CREATE INDEX ix_cards_usn ON cards (usn);
CREATE INDEX ix_cards_nid ON cards (nid);
CREATE INDEX ix_cards_sched ON cards (did, queue, due);
CREATE INDEX ix_revlog_usn ON revlog (usn);
CREATE INDEX ix_revlog_cid ON revlog (cid);
"""


class Anki(Format):
    """A package of flash cards."""

    name: ClassVar[str] = "anki"
    title: ClassVar[str] = "Anki"
    extensions: ClassVar[tuple[str, ...]] = (".apkg",)
    can_import: ClassVar[bool] = False
    carries: ClassVar[frozenset[str]] = frozenset(KINDS)
    media_type: ClassVar[str] = "application/vnd.anki"

    @classmethod
    def sniff(cls, data: bytes) -> bool:
        return False

    def _write(self, questions: Sequence[Question]) -> Exported:
        losses: list[Loss] = []
        database = sqlite3.connect(":memory:")
        try:
            database.executescript(_SCHEMA)
            _collection(database)
            for place, original in enumerate(questions, start=1):
                question = sampled(original, losses)
                losses += _losses(question)
                _note(database, question, place)
            database.commit()
            data = database.serialize()
        finally:
            database.close()
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
            for name, content in (("collection.anki2", data), ("media", b"{}")):
                entry = zipfile.ZipInfo(name, _ZIP_EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                package.writestr(entry, content)
        return Exported(out.getvalue(), tuple(question.id for question in questions), tuple(losses))


def _losses(question: Question) -> Iterator[Loss]:
    yield Loss(question.id, "grading", "A card doesn't grade: who answers it decides.")
    if question.kind == "code":
        yield Loss(question.id, "cases", "Nothing is run: the card shows the examples and the solution.")
    if question.meta.replaces or question.links != type(question.links)():
        yield Loss(question.id, "links", "Links to labs, lessons and code are tags, which lead nowhere.")


def _note(database: sqlite3.Connection, question: Question, place: int) -> None:
    shown = question.present(_SEED)
    front = "\n\n".join(part for part in (question.prompt, *answering(shown)) if part)
    back = "\n\n".join(part for part in after_answer(question) if part)
    fields = [html.escape(question.id), to_html(without_control(front)), to_html(without_control(back))]
    own = int(hashlib.sha256(question.id.encode()).hexdigest()[:12], 16) % 10**12
    note_id = _EPOCH * 1000 + place
    tags = " ".join(re.sub(r"\s+", "-", tag) for tag in to_tags(question.meta))
    checksum = int(hashlib.sha1(fields[0].encode(), usedforsecurity=False).hexdigest()[:8], 16)
    database.execute(
        "INSERT INTO notes VALUES (?, ?, ?, ?, -1, ?, ?, ?, ?, 0, '')",
        (note_id, f"pg{own:012d}", _MODEL_ID, _EPOCH, f" {tags} ", "\x1f".join(fields), fields[0], checksum),
    )
    database.execute(
        "INSERT INTO cards VALUES (?, ?, ?, 0, ?, -1, 0, 0, ?, 0, 0, 0, 0, 0, 0, 0, 0, '')",
        (note_id, note_id, _DECK_ID, _EPOCH, place),
    )


def _collection(database: sqlite3.Connection) -> None:
    def template(name: str, front: str, back: str) -> dict[str, Any]:
        return {
            "name": name, "ord": 0, "qfmt": front, "afmt": back, "did": None, "bqfmt": "", "bafmt": "",
            "bfont": "", "bsize": 0,
        }  # fmt: skip

    def field(name: str, place: int) -> dict[str, Any]:
        return {
            "name": name,
            "ord": place,
            "sticky": False,
            "rtl": False,
            "font": "Arial",
            "size": 18,
            "media": [],
        }

    def deck(deck_id: int, name: str, about: str) -> dict[str, Any]:
        return {
            "id": deck_id, "name": name, "desc": about, "mod": _EPOCH, "usn": -1, "lrnToday": [0, 0],
            "revToday": [0, 0], "newToday": [0, 0], "timeToday": [0, 0], "collapsed": False, "browserCollapsed": False,
            "dyn": 0, "conf": 1, "extendNew": 0, "extendRev": 0,
        }  # fmt: skip

    model = {
        "id": _MODEL_ID, "name": "Question bank", "type": 0, "mod": _EPOCH, "usn": -1, "sortf": 0, "did": _DECK_ID,
        "tmpls": [template("Card", "{{Front}}", "{{FrontSide}}<hr id=answer>{{Back}}")],
        "flds": [field(name, place) for place, name in enumerate(_FIELDS)],
        "css": _CSS, "latexPre": "", "latexPost": "", "latexsvg": False, "req": [[0, "any", [1]]], "vers": [], "tags": [],
    }  # fmt: skip
    decks = {
        "1": deck(1, "Default", ""),
        str(_DECK_ID): deck(_DECK_ID, "Question bank", "Questions with their explanations."),
    }
    options = {
        "id": 1, "name": "Default", "mod": 0, "usn": 0, "maxTaken": 60, "autoplay": True, "timer": 0, "replayq": True,
        "dyn": False,
        "new": {"delays": [1, 10], "ints": [1, 4, 7], "initialFactor": 2500, "order": 1, "perDay": 20, "bury": True,
                "separate": True},
        "rev": {"perDay": 200, "ease4": 1.3, "fuzz": 0.05, "minSpace": 1, "ivlFct": 1, "maxIvl": 36500, "bury": True},
        "lapse": {"delays": [10], "mult": 0, "minInt": 1, "leechFails": 8, "leechAction": 0},
    }  # fmt: skip
    settings = {
        "nextPos": 1, "estTimes": True, "activeDecks": [1], "sortType": "noteFld", "timeLim": 0, "sortBackwards": False,
        "addToCur": True, "curDeck": 1, "newBury": True, "newSpread": 0, "dueCounts": True, "curModel": str(_MODEL_ID),
        "collapseTime": 1200,
    }  # fmt: skip
    database.execute(
        "INSERT INTO col VALUES (1, ?, ?, ?, 11, 0, 0, 0, ?, ?, ?, ?, '{}')",
        (
            _EPOCH,
            _EPOCH * 1000,
            _EPOCH * 1000,
            json.dumps(settings),
            json.dumps({str(_MODEL_ID): model}),
            json.dumps(decks),
            json.dumps({"1": options}),
        ),
    )
