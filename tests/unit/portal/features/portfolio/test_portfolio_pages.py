"""The pages of activities."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.app import create_app
from portal.content import Content
from portal.models import HandIn, Role, User, Verdict, WorkState
from portal.settings import Settings
from roadmap import Kind
from tests.factories import activities, users
from tests.fixtures.portal import Client, NotedJobs, signed_in

PAGE = f"/activities/{activities.NAME}"


@pytest.fixture
def app(settings: Settings, content: Content, jobs: NotedJobs) -> Iterator[Flask]:
    made = activities.content_with(content, replaced={Kind.ACTIVITY: {"an-older-name": activities.NAME}})
    app = create_app(settings, content=made, jobs=jobs)
    app.testing = False
    yield app
    app.extensions["portal"].database.close()


@pytest.fixture
def instructor(app: Flask, settings: Settings, db: Session) -> Client:
    user = users.user(db, role=Role.INSTRUCTOR)
    db.commit()
    return signed_in(app, settings, user)


def test_the_empty_portfolio_says_where_to_begin(learner: Client) -> None:
    page = learner.get("/portfolio").text
    assert "Nothing begun yet" in page
    assert "Lose an update on purpose" in page


def test_from_beginning_to_approval(learner: Client, instructor: Client, db: Session) -> None:
    assert "Begin" in learner.get(PAGE).text
    learner.post(f"{PAGE}/start")
    assert "In progress" in learner.get("/portfolio").text
    hostile = "# Proof\n\n<script>alert(1)</script>\n\n![x](https://spy.example.org/x.png)\n\n[go](javascript:alert(1))"
    sent = {"link": "https://code.example.org/lost", "text": hostile, "note-1": "With <b>numbers</b>."}
    assert learner.post(f"{PAGE}/hand-in", sent).status_code == 302
    page = learner.get(PAGE).text
    assert "Waits for an instructor" in page
    assert "<h3>Proof</h3>" in page
    assert "<script>alert" not in page
    assert 'src="https://spy' not in page
    assert 'href="javascript' not in page
    assert 'rel="noopener noreferrer nofollow" target="_blank"' in page
    assert "With &lt;b&gt;numbers&lt;/b&gt;." in page

    handed = db.scalars(select(HandIn)).one()
    queue = instructor.get("/portfolio/queue").text
    assert "Lose an update on purpose" in queue
    review = f"/portfolio/queue/{handed.id}"
    assert "Take it" in instructor.get(review).text
    instructor.post(f"{review}/claim")
    refused = instructor.post(f"{review}/decide", {"verdict": "returned", "comment": " "})
    assert refused.status_code == 422
    assert "Say what is missing" in refused.text
    assert instructor.post(f"{review}/decide", {"verdict": "burnt"}).status_code == 422
    instructor.post(f"{review}/decide", {"verdict": "returned", "comment": "Show the **second** session."})
    page = learner.get(PAGE).text
    assert "<strong>second</strong>" in page
    assert "Hand in a new version" in page
    assert "alert(1)" in page, "the new version begins with what was returned"

    learner.post(f"{PAGE}/hand-in", {"text": "Both sessions."})
    second = db.scalars(select(HandIn).order_by(HandIn.id.desc())).first()
    assert second is not None
    review = f"/portfolio/queue/{second.id}"
    assert "Show the <strong>second</strong>" in instructor.get(review).text
    instructor.post(f"{review}/claim")
    instructor.post(f"{review}/decide", {"verdict": "approved"})
    page = learner.get(PAGE).text
    assert "Proven by the approved experiment “Lose an update on purpose”" in page
    assert "Hand in a new" not in page
    assert "<h3>Proof</h3>" in learner.get(f"{PAGE}?version=1").text
    module = learner.get(f"/roadmap/modules/{activities.MODULE}").text
    assert "Proven by the approved experiment" in module
    assert "Approved" in learner.get("/portfolio").text


def test_an_approval_that_is_taken_back_says_why(learner: Client, instructor: Client, db: Session) -> None:
    learner.post(f"{PAGE}/hand-in", {"text": "Both sessions."})
    handed = db.scalars(select(HandIn)).one()
    review = f"/portfolio/queue/{handed.id}"
    instructor.post(f"{review}/claim")
    instructor.post(f"{review}/decide", {"verdict": "approved", "comment": "Well shown."})
    assert "Take the approval back" in instructor.get(review).text

    refused = instructor.post(f"{review}/revoke", {"reason": " "})
    assert refused.status_code == 422
    assert "Say why" in refused.text
    reason = "The second session is **copied**. <script>alert(1)</script>"
    done = instructor.post(f"{review}/revoke", {"reason": reason}, follow_redirects=True)
    assert "The approval is taken back." in done.text
    again = instructor.post(f"{review}/revoke", {"reason": reason})
    assert again.status_code == 409
    assert "somebody did so before" in again.text

    page = learner.get(PAGE).text
    for words in (
        "took the approval back",
        "<strong>copied</strong>",
        "Approval taken back",
        "Well shown.",
        "Returned",
    ):
        assert words in page
    assert "<script>alert" not in page
    assert "Hand in a new version" in page
    assert "Both sessions." in page
    assert "Proven by the approved" not in page
    assert "taken back by" in instructor.get("/portfolio/queue").text
    answer = instructor.get(review).text.partition('id="decide-title"')[2]
    assert "Approved</span>" in answer.partition("Well shown.")[0]


def test_what_was_typed_is_not_lost_when_it_is_refused(learner: Client) -> None:
    sent = {"link": "http://code.example.org", "text": "A long text.", "note-0": "There."}
    answer = learner.post(f"{PAGE}/hand-in", sent)
    assert answer.status_code == 422
    for words in (
        "http://code.example.org",
        "A long text.",
        "There.",
        "A link begins with https://",
        'aria-invalid="true"',
    ):
        assert words in answer.text


def test_a_second_version_beside_a_waiting_one_is_refused_on_the_page(learner: Client) -> None:
    learner.post(f"{PAGE}/hand-in", {"text": "One."})
    answer = learner.post(f"{PAGE}/hand-in", {"text": "Two."})
    assert answer.status_code == 409
    assert "Take it back first" in answer.text


def test_a_tick_counts_as_practised(learner: Client) -> None:
    learner.post(f"{PAGE}/start")
    learner.post(f"{PAGE}/done", {"done": "yes"})
    page = learner.get(PAGE).text
    assert "Done, by your own word" in page
    assert "Practised by the experiment" in page
    learner.post(f"{PAGE}/done", {"done": "no"})
    assert "Practised by the experiment" not in learner.get(PAGE).text


def test_evidence_is_told_by_a_button_and_not_by_a_title(learner: Client) -> None:
    learner.post(f"{PAGE}/done", {"done": "yes"})
    page = learner.get(PAGE).text
    assert f'aria-describedby="why-{activities.TOPICS[0]}"' in page
    assert f'role="tooltip" id="why-{activities.TOPICS[0]}"' in page


def test_a_former_name_leads_to_the_page(learner: Client) -> None:
    answer = learner.get("/activities/an-older-name")
    assert (answer.status_code, answer.location) == (302, PAGE)
    assert learner.get("/activities/never").status_code == 404


def test_a_learner_sees_only_their_own(
    app: Flask, settings: Settings, learner: Client, learner_user: User, db: Session
) -> None:
    activities.hand_in(db, activities.work(db, learner_user, state=WorkState.HANDED_IN), text="Mine alone.")
    other = users.user(db)
    db.commit()
    assert "Mine alone." in learner.get(PAGE).text
    stranger = signed_in(app, settings, other)
    assert "Mine alone." not in stranger.get(PAGE).text
    assert stranger.get("/portfolio/queue").status_code == 403


def test_an_instructor_does_not_decide_on_their_own(app: Flask, settings: Settings, db: Session) -> None:
    user = users.user(db, role=Role.INSTRUCTOR)
    handed = activities.hand_in(db, activities.work(db, user, state=WorkState.HANDED_IN))
    db.commit()
    client = signed_in(app, settings, user)
    assert "another instructor decides" in client.get(f"/portfolio/queue/{handed.id}").text
    assert client.post(f"/portfolio/queue/{handed.id}/claim").status_code == 403


def test_work_on_an_activity_that_is_gone_can_still_be_decided(instructor: Client, db: Session) -> None:
    work = activities.work(db, users.user(db), "no-longer-there", state=WorkState.HANDED_IN)
    handed = activities.hand_in(db, work)
    db.commit()
    assert "no-longer-there" in instructor.get("/portfolio/queue").text
    instructor.post(f"/portfolio/queue/{handed.id}/claim")
    instructor.post(f"/portfolio/queue/{handed.id}/decide", {"verdict": "approved"})
    db.expire_all()
    assert db.get_one(HandIn, handed.id).verdict == Verdict.APPROVED
