"""Which questions a session asks."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from portal.content import Content
from portal.errors import Invalid, NotFound
from portal.features.reviews.choosing import Chooser
from portal.models import PracticeSource, ReviewCard, utcnow
from question_bank import Question
from tests.fixtures import questions

NOW = utcnow()
DAY = timedelta(days=1)


def made(name: str, topic: str = questions.TOPIC, **meta: object) -> Question:
    original = questions.question("single", topic)
    return replace(original, meta=original.meta.model_copy(update={"id": name, **meta}))


def card(question_id: str, *, due: timedelta = DAY, last_fraction: float = 1.0, age: int = 1) -> ReviewCard:
    return ReviewCard(
        user_id=1,
        question_id=question_id,
        due=NOW + due,
        last_review=NOW - age * DAY,
        last_fraction=last_fraction,
        state=2,
        step=None,
        stability=1.0,
        difficulty=5.0,
    )


def chooser(content: Content, asked: list[Question], *cards: ReviewCard) -> Chooser:
    return Chooser(questions.content_of(content, *asked), cards, NOW)


def ids(found: list[Question]) -> list[str]:
    return [question.id for question in found]


def test_due_ones_are_asked_with_the_longest_overdue_first(content: Content) -> None:
    asked = [made("late"), made("later"), made("not-yet"), made("new")]
    found = chooser(
        content, asked, card("later", due=-DAY), card("late", due=-2 * DAY), card("not-yet", due=DAY)
    )
    assert ids(found.choose(PracticeSource.DUE, "", 10, 1, set())) == ["late", "later"]
    assert ids(found.choose(PracticeSource.DUE, "", 1, 1, set())) == ["late"]


def test_when_nothing_is_due_it_says_so(content: Content) -> None:
    with pytest.raises(Invalid, match="Nothing is due"):
        chooser(content, [made("a")], card("a")).choose(PracticeSource.DUE, "", 10, 1, set())


def test_a_module_asks_what_is_due_then_what_is_new(content: Content) -> None:
    asked = [made("known"), made("due"), made("new"), made("elsewhere", module="other-module")]
    found = chooser(content, asked, card("known"), card("due", due=-DAY))
    for count, expected in ((1, {"due"}), (2, {"due", "new"}), (9, {"due", "new", "known"})):
        chosen = found.choose(PracticeSource.MODULE, questions.MODULE, count, count, set())
        assert set(ids(chosen)) == expected


def test_a_topic_asks_all_that_touch_it(content: Content) -> None:
    asked = [
        made("main"),
        made("beside", topics=("foreign-keys", questions.TOPIC)),
        made("not", "foreign-keys"),
    ]
    asked[2] = replace(asked[2], meta=asked[2].meta.model_copy(update={"topics": ("foreign-keys",)}))
    found = chooser(content, asked).choose(PracticeSource.TOPIC, questions.TOPIC, 10, 1, set())
    assert set(ids(found)) == {"main", "beside"}


def test_a_track_asks_its_modules(content: Content) -> None:
    track = next(iter(content.roadmap.tracks.values()))
    asked = [made("in", module=track.modules[0]), made("out", module="nowhere")]
    assert ids(chooser(content, asked).choose(PracticeSource.TRACK, track.id, 10, 1, set())) == ["in"]


@pytest.mark.parametrize("source", [PracticeSource.TOPIC, PracticeSource.MODULE, PracticeSource.TRACK])
def test_what_is_not_on_the_roadmap_is_not_found(content: Content, source: PracticeSource) -> None:
    with pytest.raises(NotFound):
        chooser(content, [made("a")]).choose(source, "no-such-thing", 10, 1, set())


def test_a_topic_without_questions_says_so(content: Content) -> None:
    with pytest.raises(Invalid, match="no questions"):
        chooser(content, [made("a")]).choose(PracticeSource.TOPIC, "foreign-keys", 10, 1, set())


def test_bookmarks(content: Content) -> None:
    found = chooser(content, [made("marked"), made("plain")])
    assert ids(found.choose(PracticeSource.BOOKMARKS, "", 10, 1, {"marked"})) == ["marked"]
    with pytest.raises(Invalid, match="bookmark"):
        found.choose(PracticeSource.BOOKMARKS, "", 10, 1, set())


def test_a_weak_spot_asks_what_went_wrong_then_what_is_new_there(content: Content) -> None:
    asked = [
        made("wrong"),
        made("known"),
        made("new"),
        made("strong", "foreign-keys"),
        made("strong-new", "foreign-keys"),
    ]
    found = chooser(
        content, asked, card("wrong", last_fraction=0.0), card("known", last_fraction=1.0), card("strong")
    )
    assert [topic.topic_id for topic in found.weak_topics()] == [questions.TOPIC]
    assert ids(found.choose(PracticeSource.WEAKNESS, "", 1, 5, set())) == ["wrong"]
    assert set(ids(found.choose(PracticeSource.WEAKNESS, "", 10, 5, set()))) == {"wrong", "new"}


def test_who_gets_everything_right_has_no_weak_spot(content: Content) -> None:
    found = chooser(content, [made("a"), made("b")], card("a"), card("b"))
    assert found.weak_topics() == []
    with pytest.raises(Invalid, match="no weak spot"):
        found.choose(PracticeSource.WEAKNESS, "", 10, 1, set())


def test_code_is_not_asked(content: Content) -> None:
    found = chooser(content, [questions.question("code"), made("a")], card("a-code", due=-DAY))
    assert ids(found.choose(PracticeSource.MODULE, questions.MODULE, 10, 1, set())) == ["a"]
    assert found.due() == []


def test_when_there_is_code_alone_it_says_where_that_is_run(content: Content) -> None:
    with pytest.raises(Invalid, match="in a lab"):
        chooser(content, [questions.question("code")]).choose(
            PracticeSource.MODULE, questions.MODULE, 10, 1, set()
        )


def test_cards_of_renamed_merged_and_retired_questions(content: Content) -> None:
    asked = [made("now", replaces=("before", "also-before"))]
    found = chooser(
        content,
        asked,
        card("before", due=-DAY, age=5),
        card("also-before", due=DAY, age=1),
        card("retired", due=-DAY),
    )
    assert found.due() == []  # the one answered last decides
    assert len(found.dues()) == 1
