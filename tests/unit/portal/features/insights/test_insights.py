"""What instructors see of questions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from portal.app import create_app
from portal.content import Content
from portal.errors import Conflict, Invalid, NotFound
from portal.features.insights.service import InsightService, Sort, arranged
from portal.features.practice import Encounter, Recorder, variant_of
from portal.models import QuestionReport, Role, User, utcnow
from portal.settings import Settings
from question_bank import Question
from question_bank.statistics import Flag
from tests.factories import practice, users
from tests.fixtures import questions
from tests.fixtures.portal import Client, NotedJobs

SINGLE, NUMERIC = questions.question("single"), questions.question("numeric")


def give(
    db: Session, user: User, question: Question, answer: object, seconds: float = 30.0, seed: int = 0
) -> None:
    graded = question.grade(answer, seed)  # type: ignore[arg-type]
    variant = variant_of(question, seed)
    Recorder(db).record(user.id, [Encounter(question, graded, utcnow(), seconds=seconds, variant=variant)])


def copies(count: int) -> list[Question]:
    return [replace(SINGLE, meta=SINGLE.meta.model_copy(update={"id": f"other-{n}"})) for n in range(count)]


def a_class(db: Session, *, upside_down: bool = False, count: int = 70) -> None:
    """Learners of two sorts: half know everything but perhaps the question, the other half nothing but perhaps it."""
    right = questions.right_answer(SINGLE, 0)
    wrong = next(option.key for option in SINGLE.options if not option.right)
    for number in range(count):
        user, good = users.user(db), number % 2 == 0
        for other in copies(6):
            give(db, user, other, right if good else wrong)
        give(db, user, SINGLE, right if good is not upside_down else wrong)


@pytest.fixture
def small(content: Content) -> Content:
    return questions.content_of(
        content, SINGLE, NUMERIC, questions.question("cloze"), questions.question("variants")
    )


@pytest.fixture
def app(settings: Settings, small: Content, jobs: NotedJobs) -> Iterator[Flask]:
    app = create_app(settings, content=small, jobs=jobs)
    app.testing = False
    yield app
    app.extensions["portal"].database.close()


def item_of(db: Session, content: Content, name: str = "a-single"):
    return next(item for item in InsightService(db, content).items() if item.question.id == name)


def test_a_question_that_the_good_know_discriminates(db: Session, small: Content) -> None:
    a_class(db)
    item = item_of(db, small)
    assert item.tally.facility == pytest.approx(0.5)
    assert item.tally.discrimination == pytest.approx(1.0)
    assert item.flags == ()
    assert item.chance == pytest.approx(1 / 3)
    assert item.median_seconds == pytest.approx(30, rel=0.08)


def test_a_wrong_key_is_flagged(db: Session, small: Content) -> None:
    a_class(db, upside_down=True)
    assert item_of(db, small).tally.discrimination == pytest.approx(-1.0)
    assert item_of(db, small).flags == (Flag.NEGATIVE,)


def test_answers_to_another_version_are_told_apart(db: Session, small: Content) -> None:
    user = users.user(db)
    give(db, user, replace(SINGLE, content_hash="older"), questions.right_answer(SINGLE, 0))
    give(db, user, SINGLE, None)
    item = item_of(db, small)
    assert (item.tally.answers, item.tally.facility, item.earlier) == (1, 0.0, 1)


def test_the_median_is_of_the_version(db: Session, small: Content) -> None:
    for seconds in (10, 20, 90):
        give(db, users.user(db), NUMERIC, "18", seconds=seconds)
        give(db, users.user(db), replace(NUMERIC, content_hash="older"), "18", seconds=1000)
    assert item_of(db, small, "a-numeric").median_seconds == pytest.approx(20, rel=0.08)


def test_sorting_puts_what_has_no_figure_last(db: Session, small: Content) -> None:
    give(db, users.user(db), NUMERIC, "18")
    give(db, users.user(db), SINGLE, None)
    items = InsightService(db, small).items()
    for down, first in ((True, ["a-numeric", "a-single"]), (False, ["a-single", "a-numeric"])):
        found = [item.question.id for item in arranged(items, Sort.FACILITY, down=down)]
        assert found == [*first, "a-cloze", "a-variants"]
    names = [item.question.id for item in arranged(items, Sort.QUESTION, down=True)]
    assert names == sorted(names, reverse=True)


def test_the_list_sorts_and_filters_by_its_address(instructor: Client, db: Session) -> None:
    a_class(db, upside_down=True)
    db.commit()
    page = instructor.get("/insights/questions?sort=answers").text
    names = re.findall(r'href="/insights/questions/([^"]+)"', page)
    assert names[0] == "a-single"
    assert len(names) == 4
    assert 'aria-sort="descending"' in page
    assert 'aria-sort="ascending"' in instructor.get("/insights/questions?sort=facility").text
    flagged = instructor.get("/insights/questions?flag=negative").text
    assert re.findall(r'href="/insights/questions/([^"]+)"', flagged) == ["a-single"]
    none = instructor.get("/insights/questions?flag=too+easy&module=nowhere").text
    assert "No question fits" in none


@pytest.mark.parametrize("query", ["sort=nonsense", "page=-3", "page=99", "page=x", "flag=%3Cb%3E&module=%22"])
def test_any_address_gives_a_page(instructor: Client, query: str) -> None:
    assert instructor.get(f"/insights/questions?{query}").status_code == 200


def test_an_empty_list_says_so(instructor: Client) -> None:
    assert "Nobody has answered any yet" in instructor.get("/insights/questions").text


def test_a_question_s_page_shows_options_and_what_is_missing(instructor: Client, db: Session) -> None:
    wrong = next(option for option in SINGLE.options if not option.right)
    for _ in range(3):
        give(db, users.user(db), SINGLE, wrong.key)
    give(db, users.user(db), replace(SINGLE, content_hash="older-version"), wrong.key)
    db.commit()
    page = instructor.get("/insights/questions/a-single").text
    assert "27 more first answers until it can be trusted" in page
    assert "1 more to other versions" in page
    assert re.search(r"3\s*<span class=\"muted\">\(100 %\)</span>", page)
    assert "older-ve" in page  # the other version has a row of its own
    assert "Which one holds?" in page


def test_options_that_never_work_are_marked(instructor: Client, db: Session) -> None:
    for _ in range(30):
        give(db, users.user(db), SINGLE, questions.right_answer(SINGLE, 0))
    db.commit()
    assert instructor.get("/insights/questions/a-single").text.count("never works") == 2


def test_typed_answers_gaps_and_variants_have_rows(instructor: Client, db: Session) -> None:
    give(db, users.user(db), NUMERIC, "2.4")
    give(db, users.user(db), questions.question("cloze"), {"lock": "SKIP LOCKED"})
    variants = questions.question("variants")
    for seed in (3, 4):
        give(db, users.user(db), variants, questions.right_answer(variants, seed), seed=seed)
    db.commit()
    assert "that the author foresaw" in instructor.get("/insights/questions/a-numeric").text
    assert "Went wrong" in instructor.get("/insights/questions/a-cloze").text
    page = instructor.get("/insights/questions/a-variants").text
    assert "By variant" in page
    assert "<code>4</code>" in page
    assert "<code>5</code>" in page


def test_a_question_that_is_gone_is_not_found(instructor: Client) -> None:
    assert instructor.get("/insights/questions/no-such").status_code == 404


def test_reports_are_listed_and_closed_with_a_word(instructor: Client, db: Session) -> None:
    learner = users.user(db)
    report = practice.report(db, learner, SINGLE, text="<b>Two</b> fit.")
    practice.report(db, learner, NUMERIC)
    db.commit()
    page = instructor.get("/insights/reports").text
    assert "&lt;b&gt;Two&lt;/b&gt; fit." in page
    assert learner.display_name in page
    assert page.index("a-single") < page.index("a-numeric")
    assert "Two" in instructor.get("/insights/questions/a-single").text
    instructor.post(f"/insights/reports/{report.id}/close", {"resolution": "The key is mended."})
    page = instructor.get("/insights/reports").text
    assert "The key is mended." in page
    db.expire_all()
    assert db.get_one(QuestionReport, report.id).closed_at is not None
    assert "Two" not in instructor.get("/insights/questions/a-single").text


def test_without_reports_the_page_says_so(instructor: Client) -> None:
    assert "No open reports" in instructor.get("/insights/reports").text


def test_a_report_is_closed_once(db: Session, small: Content) -> None:
    boss, learner = users.user(db, role=Role.INSTRUCTOR), users.user(db)
    report = practice.report(db, learner, SINGLE)
    service = InsightService(db, small)
    with pytest.raises(Invalid):
        service.close(report.id, boss.id, "x" * 1001)
    assert service.close(report.id, boss.id, "").closed_by == boss.id
    with pytest.raises(Conflict):
        service.close(report.id, boss.id, "")
    with pytest.raises(NotFound):
        service.close(report.id + 1, boss.id, "")


def test_learners_see_no_way_there(learner: Client) -> None:
    assert "/insights" not in learner.get("/practice/").text
