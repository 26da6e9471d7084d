"""What activities add to progress, and that it outlives changes of the content."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from portal.content import Content
from portal.features.roadmap import ProgressService, TopicState
from portal.models import User, WorkState
from roadmap import Kind
from tests.factories import activities, users

WHEN = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
TOPIC = activities.TOPICS[0]


@pytest.fixture
def user(db: Session) -> User:
    return users.user(db)


@pytest.fixture
def made(content: Content) -> Content:
    return activities.content_with(content)


def test_an_approved_activity_proves_its_topics(db: Session, made: Content, user: User) -> None:
    activities.work(db, user, state=WorkState.APPROVED, done_at=WHEN - timedelta(days=3), approved_at=WHEN)
    progress = ProgressService(db, made).of(user.id)
    assert {progress.topics[one].state for one in activities.TOPICS} == {TopicState.PROVEN}
    assert (
        progress.topics[TOPIC].why
        == "proven by the approved experiment “Lose an update on purpose” on 4 May 2026"
    )
    assert progress.activities[activities.NAME].state == WorkState.APPROVED


@pytest.mark.parametrize("state", [WorkState.DONE, WorkState.HANDED_IN, WorkState.RETURNED])
def test_what_only_the_learner_calls_done_is_practised(
    db: Session, made: Content, user: User, state: WorkState
) -> None:
    activities.work(db, user, state=state, done_at=WHEN)
    found = ProgressService(db, made).of(user.id).topics[TOPIC]
    assert found.state == TopicState.PRACTISED
    assert "which you called done on 4 May 2026" in found.why


def test_beginning_shows_nothing(db: Session, made: Content, user: User) -> None:
    activities.work(db, user)
    activities.work(db, users.user(db), state=WorkState.APPROVED, done_at=WHEN, approved_at=WHEN)
    progress = ProgressService(db, made).of(user.id)
    assert progress.topics[TOPIC].state == TopicState.UNSEEN
    assert progress.activities[activities.NAME].state == WorkState.STARTED


def test_a_topic_that_an_activity_proves_can_be_proven(db: Session, made: Content, content: Content) -> None:
    assert TOPIC not in content.activities_by_topic
    assert ProgressService(db, made).of(0).topics[TOPIC].best == TopicState.PROVEN


def test_an_approval_outlives_the_renaming_of_its_activity(db: Session, content: Content, user: User) -> None:
    activities.work(db, user, state=WorkState.APPROVED, done_at=WHEN, approved_at=WHEN)
    renamed = activities.content_with(
        content,
        activities.activity("show-a-lost-update", title="Show a lost update"),
        replaced={Kind.ACTIVITY: {activities.NAME: "show-a-lost-update"}},
    )
    progress = ProgressService(db, renamed).of(user.id)
    assert progress.topics[TOPIC].state == TopicState.PROVEN
    assert "“Show a lost update”" in progress.topics[TOPIC].why
    assert list(progress.activities) == ["show-a-lost-update"]


def test_of_two_activities_that_became_one_the_further_stands(
    db: Session, content: Content, user: User
) -> None:
    activities.work(db, user, state=WorkState.APPROVED, done_at=WHEN, approved_at=WHEN)
    activities.work(db, user, "show-a-lost-update", state=WorkState.STARTED)
    merged = activities.content_with(
        content,
        activities.activity("show-a-lost-update"),
        replaced={Kind.ACTIVITY: {activities.NAME: "show-a-lost-update"}},
    )
    progress = ProgressService(db, merged).of(user.id)
    assert progress.activities["show-a-lost-update"].state == WorkState.APPROVED


def test_an_activity_that_is_gone_is_passed_over(db: Session, content: Content, user: User) -> None:
    activities.work(db, user, "no-longer-there", state=WorkState.APPROVED, done_at=WHEN, approved_at=WHEN)
    assert ProgressService(db, content).of(user.id).activities == {}


def test_an_approval_proves_the_topic_that_took_the_place_of_its_own(
    db: Session, made: Content, user: User
) -> None:
    activities.work(db, user, state=WorkState.APPROVED, done_at=WHEN, approved_at=WHEN)
    gone = replace(
        made,
        roadmap=replace(
            made.roadmap,
            topics={id_: topic for id_, topic in made.roadmap.topics.items() if id_ != TOPIC},
            replaced={**made.roadmap.replaced, Kind.TOPIC: {TOPIC: "deadlocks"}},
        ),
    )
    assert ProgressService(db, gone).of(user.id).topics["deadlocks"].state == TopicState.PROVEN


def test_the_tracks_of_a_learner_are_those_in_which_something_is_shown(
    db: Session, made: Content, user: User
) -> None:
    service = ProgressService(db, made)
    assert service.of(user.id).tracks_begun(made.roadmap) == list(made.roadmap.tracks.values())
    activities.work(db, user)
    begun = service.of(user.id).tracks_begun(made.roadmap)
    assert [t.id for t in begun] == [
        t.id for t in made.roadmap.tracks.values() if activities.MODULE in t.modules
    ]
    assert len(begun) < len(made.roadmap.tracks)
