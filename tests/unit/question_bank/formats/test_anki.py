"""Anki packages: a database that Anki reads, a card a question, nothing harmful on it."""

from __future__ import annotations

import io
import json
import sqlite3
import zipfile
from contextlib import closing

import pytest

from question_bank.formats import FORMATS, FormatRefused
from question_bank.kinds import KINDS
from question_bank.loader import parse
from question_bank.starting import starting_text

ANKI = FORMATS["anki"]


def rows(data, query, *values):
    with zipfile.ZipFile(io.BytesIO(data)) as package, closing(sqlite3.connect(":memory:")) as database:
        assert package.namelist() == ["collection.anki2", "media"]
        assert json.loads(package.read("media")) == {}
        database.deserialize(package.read("collection.anki2"))
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return database.execute(query, values).fetchall()


def card(data):
    ((fields,),) = rows(data, "SELECT flds FROM notes")
    return fields.split("\x1f")


def test_the_collection_is_of_the_schema_that_every_anki_reads():
    ((version, models, decks),) = rows(ANKI.write([]).data, "SELECT ver, models, decks FROM col")
    assert version == 11
    (model,) = json.loads(models).values()
    assert [field["name"] for field in model["flds"]] == ["Id", "Front", "Back"]
    assert str(model["did"]) in json.loads(decks)


def test_every_note_has_a_card_in_the_deck(question):
    data = ANKI.write([question(), question(id="other-one")]).data
    assert rows(data, "SELECT count(*), count(DISTINCT guid) FROM notes") == [(2, 2)]
    ((missing,),) = rows(
        data, "SELECT count(*) FROM notes LEFT JOIN cards ON nid = notes.id WHERE cards.id IS NULL"
    )
    assert missing == 0
    assert len(rows(data, "SELECT DISTINCT did FROM cards")) == 1


def test_a_note_keeps_its_identity_when_the_question_changes(question):
    one, other = (
        ANKI.write([question()]).data,
        ANKI.write([question(id="first-one"), question(prompt="New?")]).data,
    )
    assert rows(one, "SELECT guid FROM notes")[0] in rows(other, "SELECT guid FROM notes")


def test_front_asks_and_back_answers(question):
    name, front, back = card(ANKI.write([question()]).data)
    assert name == "lost-update"
    assert "What keeps both changes?" in front
    assert "Raise the timeout of the pool" in front
    assert "accepted on unchanged data" not in front
    assert "Check the version" in back
    assert "accepted on unchanged data" in back
    assert "A version changes with every write" in back


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_card_that_does_not_tell_its_answer_in_front(kind):
    asked = parse(starting_text(kind, "an-id", "a-module", "a-topic"), "an-id.md", [])
    made = ANKI.write([asked])
    assert made.written == ("an-id",)
    _, front, back = card(made.data)
    assert front
    assert "Explanation" in back
    assert "Explanation" not in front


def test_tags_have_what_the_bank_says_of_a_question(question):
    ((tags,),) = rows(ANKI.write([question()]).data, "SELECT tags FROM notes")
    assert {"module:transactions", "topic:row-locks", "difficulty:2", "level:senior"} <= set(tags.split())


def test_scripts_stay_off_the_card(question):
    asked = question(prompt="What does <script>alert(1)</script> and <img src=x onerror=alert(1)> do?")
    _, front, _ = card(ANKI.write([asked]).data)
    assert "<script" not in front
    assert "onerror" not in front


def test_what_a_card_cannot_do_is_named_for_each_question(question):
    made = ANKI.write([question(), question(id="other-one")])
    assert [(loss.question, loss.part) for loss in made.losses] == [
        ("lost-update", "grading"),
        ("other-one", "grading"),
    ]


def test_packages_are_for_export_only():
    with pytest.raises(FormatRefused, match="can be exported only"):
        ANKI.read(b"PK", "x.apkg")
