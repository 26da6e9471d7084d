"""The pages of practice, as a browser without scripts uses them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.app import create_app
from portal.content import Content
from portal.features.reviews import views
from portal.models import PracticeAnswer, PracticeSession, QuestionNote, QuestionReport, ReviewCard, User
from portal.settings import Settings
from tests.fixtures import questions
from tests.fixtures.portal import Client, NotedJobs, signed_in


@pytest.fixture
def app(settings: Settings, content: Content, jobs: NotedJobs) -> Iterator[Flask]:
    """A portal whose bank has one question of each kind."""
    app = create_app(settings, content=questions.content_of(content), jobs=jobs)
    app.testing = False
    yield app
    app.extensions["portal"].database.close()


def started(client: Client, db: Session) -> PracticeSession:
    response = client.post("/practice/start", {"source": "module", "id": questions.MODULE})
    assert response.status_code == 302
    return db.scalars(select(PracticeSession).order_by(PracticeSession.id.desc())).first()  # type: ignore[return-value]


def answers(db: Session, session: PracticeSession) -> list[PracticeAnswer]:
    db.expire_all()
    return list(
        db.scalars(
            select(PracticeAnswer)
            .where(PracticeAnswer.session_id == session.id)
            .order_by(PracticeAnswer.position)
        )
    )


def address(answer: PracticeAnswer) -> str:
    return f"/practice/sessions/{answer.session_id}/{answer.position}"


def one_of(db: Session, session: PracticeSession, kind: str) -> PracticeAnswer:
    return next(one for one in answers(db, session) if one.question_id == f"a-{kind}")


def test_a_newcomer_is_told_how_to_begin(learner: Client) -> None:
    page = learner.get("/practice/").text
    assert "Nothing comes due in the next 30 days." in page
    assert "Choose something below to begin" in page
    assert "As a table" not in page
    assert 'value="schema-design"' in page


def test_a_session_leads_from_question_to_question_to_the_result(learner: Client, db: Session) -> None:
    session = started(learner, db)
    for position in range(1, 11):
        onward = learner.get(f"/practice/sessions/{session.id}").location
        assert onward.endswith(f"/{position}")
        page = learner.get(onward).text
        assert f"Question {position} of 10" in page
        assert "This is how one gets there." not in page  # nothing is given away
        assert learner.post(onward, {"pass": "yes"}).status_code == 302
        after = learner.get(onward).text
        assert "This is how one gets there." in after
        assert "in 10 minutes" in after
    result = learner.get(f"/practice/sessions/{session.id}", follow_redirects=True).text
    assert "0 of 10 fully right" in result
    assert "asked again in 10 minutes" in result


def test_a_right_answer_is_said_at_once_with_its_reasons(learner: Client, db: Session) -> None:
    answer = one_of(db, started(learner, db), "single")
    learner.get(address(answer))
    asked = questions.question("single")
    key = questions.right_answer(asked, answer.seed)
    learner.post(address(answer), {f"q-{asked.id}": key})
    page = learner.get(address(answer)).text
    assert "You chose this: right" in page
    assert "Because of the second reason." in page
    assert re.search(r"Asked again\s*<strong>", page)
    stored = one_of(db, db.get_one(PracticeSession, answer.session_id), "single")
    assert stored.seconds is not None


def test_nothing_and_nonsense_are_asked_for_again(learner: Client, db: Session) -> None:
    answer = one_of(db, started(learner, db), "numeric")
    learner.get(address(answer))
    blank = learner.post(address(answer))
    assert blank.status_code == 422
    assert "Nothing is answered yet" in blank.text
    odd = learner.post(address(answer), {"q-a-numeric": "about 3"})
    assert odd.status_code == 422
    assert 'value="about 3"' in odd.text
    assert 'aria-invalid="true"' in odd.text


def test_an_answer_is_given_once(learner: Client, db: Session) -> None:
    answer = one_of(db, started(learner, db), "numeric")
    learner.get(address(answer))
    learner.post(address(answer), {"q-a-numeric": "7"})
    learner.post(address(answer), {"q-a-numeric": "18"})
    assert one_of(db, db.get_one(PracticeSession, answer.session_id), "numeric").given == "7"


def test_an_open_answer_shows_the_model_then_takes_marks(learner: Client, db: Session) -> None:
    answer = one_of(db, started(learner, db), "open")
    assert "Whoever has prepared" not in learner.get(address(answer)).text
    learner.post(address(answer), {"q-a-open": "It waits."})
    page = learner.get(address(answer)).text
    assert "Whoever has prepared" in page
    assert "Waits for your marks" in page
    keys = re.findall(r'name="met" value="([^"]+)"', page)
    assert learner.post(f"{address(answer)}/mark", {"met": keys}).status_code == 302
    assert "This is how one gets there." in learner.get(address(answer)).text
    assert one_of(db, db.get_one(PracticeSession, answer.session_id), "open").fraction == 1.0


def test_a_session_can_be_ended_early(learner: Client, db: Session) -> None:
    session = started(learner, db)
    first = answers(db, session)[0]
    learner.get(address(first))
    learner.post(f"/practice/sessions/{session.id}/end")
    assert "Nothing was answered" in learner.get(f"/practice/sessions/{session.id}/result").text
    assert learner.get(address(first)).location.endswith("/result")
    learner.post(address(first), {"pass": "yes"})
    assert answers(db, session)[0].fraction is None


def test_an_open_session_is_gone_on_with(learner: Client, db: Session) -> None:
    session = started(learner, db)
    page = learner.get("/practice/").text
    assert "Your session is open" in page
    assert f'href="/practice/sessions/{session.id}"' in page


def test_nothing_due_is_no_error(learner: Client) -> None:
    response = learner.post("/practice/start", {"source": "due"}, follow_redirects=True)
    assert response.status_code == 200
    assert "Nothing is due now" in response.text


@pytest.mark.parametrize("source", ["", "everything", "topic"])
def test_a_start_that_names_nothing_is_not_found(learner: Client, source: str) -> None:
    assert learner.post("/practice/start", {"source": source, "id": "nowhere"}).status_code == 404


def test_a_bookmark_replaces_its_button_or_leads_back(learner: Client, db: Session, learner_user: User) -> None:
    answer = one_of(db, started(learner, db), "single")
    path = f"/practice/questions/{answer.question_id}/bookmark"
    part = learner.post(path, headers={"HX-Request": "true"})
    assert 'aria-pressed="true"' in part.text
    assert "<html" not in part.text
    back = learner.post(path, {"session": answer.session_id, "position": answer.position})
    assert back.location == address(answer)
    assert not db.get_one(QuestionNote, (learner_user.id, answer.question_id)).bookmarked


def test_notes_are_shown_as_text(learner: Client, db: Session) -> None:
    answer = one_of(db, started(learner, db), "single")
    text = "<script>alert(1)</script> & **not bold**"
    learner.post(f"/practice/questions/{answer.question_id}/note", {"text": text})
    page = learner.get("/practice/kept").text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; **not bold**" in page
    assert "Which one holds?" in page


def test_a_note_that_is_too_long_is_refused_with_a_reason(learner: Client) -> None:
    response = learner.post("/practice/questions/a-single/note", {"text": "x" * 4001})
    assert response.status_code == 422
    assert "Shorten it" in response.text


def test_a_report_reaches_the_list_and_says_so(learner: Client, db: Session) -> None:
    answer = one_of(db, started(learner, db), "single")
    form = {
        "reason": "unclear",
        "text": "Two fit.",
        "seed": answer.seed,
        "session": answer.session_id,
        "position": answer.position,
    }
    path = f"/practice/questions/{answer.question_id}/report"
    page = learner.post(path, form, follow_redirects=True).text
    assert "The instructors see your report" in page
    assert db.scalars(select(QuestionReport)).one().seed == answer.seed
    again = learner.post(path, form, follow_redirects=True).text
    assert "reported this question already" in again


def test_reports_are_throttled(
    settings: Settings, content: Content, jobs: NotedJobs, learner_user: User
) -> None:
    from dataclasses import replace

    app = create_app(replace(settings, rate_limits=True), content=questions.content_of(content), jobs=jobs)
    client = signed_in(app, settings, learner_user)
    statuses = [
        client.post("/practice/questions/a-single/report", {"reason": "typing"}).status_code for _ in range(7)
    ]
    app.extensions["portal"].database.close()
    assert statuses[0] == 302
    assert statuses[-1] == 429


def test_settings_are_stored_or_say_what_they_take(learner: Client, db: Session) -> None:
    refused = learner.post("/practice/settings", {"retention": "99", "session_length": "0"})
    assert refused.status_code == 422
    assert "from 70 to 97" in refused.text
    assert "from 1 to 50" in refused.text
    learner.post("/practice/settings", {"retention": "85", "session_length": "2"})
    page = learner.get("/practice/settings").text
    assert 'value="85"' in page
    assert len(answers(db, started(learner, db))) == 2


def test_a_question_that_was_withdrawn_is_passed_over(learner: Client, db: Session) -> None:
    session = started(learner, db)
    first = answers(db, session)[0]
    first.question_id = "withdrawn"
    db.commit()
    assert learner.get(address(first)).status_code == 404
    assert learner.get(f"/practice/sessions/{session.id}").location.endswith("/2")


def test_what_is_due_is_offered(learner: Client, db: Session, learner_user: User) -> None:
    answer = one_of(db, started(learner, db), "single")
    learner.get(address(answer))
    learner.post(address(answer), {"pass": "yes"})
    assert "One question is due" not in learner.get("/").text  # not before ten minutes have passed
    db.expire_all()
    db.get_one(ReviewCard, (learner_user.id, "a-single")).due -= timedelta(hours=1)
    db.commit()
    assert "One question is due" in learner.get("/").text
    page = learner.get("/practice/").text
    assert "One question" in page
    response = learner.post("/practice/start", {"source": "due"}, follow_redirects=True)
    assert "Question 1 of 1" in response.text


NOW = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (timedelta(seconds=-1), "now"),
        (timedelta(seconds=40), "in a minute"),
        (timedelta(minutes=10), "in 10 minutes"),
        (timedelta(hours=5), "in 5 hours"),
        (timedelta(hours=23), "tomorrow"),
        (timedelta(days=3), "in 3 days"),
        (timedelta(days=91), "in 3 months"),
    ],
)
def test_when_it_is_asked_again_in_words(ahead: timedelta, words: str) -> None:
    assert views.until(NOW + ahead, NOW, UTC) == words


def test_the_chart_stays_within_its_frame() -> None:
    chart = views.forecast([NOW + timedelta(days=n % 5) for n in range(200)], NOW, UTC)
    assert chart.total == 200
    assert all(bar.y >= 0 and bar.y + bar.height == pytest.approx(chart.height) for bar in chart.bars)
    assert max(bar.x for bar in chart.bars) < chart.width
    assert chart.summary.startswith("200 questions come due in the next 30 days, 40 today")
