from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from freezegun import freeze_time
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.content import Content
from portal.errors import Invalid, NotFound
from portal.features.plan.contents import ItemKind, ordered
from portal.features.plan.outlook import Outlook
from portal.features.plan.service import PlanService, wishes_of
from portal.features.roadmap import within_hours
from portal.models import LessonRead, PlanTick, ReviewCard, StudyPlan, User, WorkState
from tests.factories import activities, plans, submissions

MONDAY = date(2026, 9, 7)
NOON = datetime(2026, 9, 7, 12, tzinfo=UTC)
TRACK = "solution-architect"


@pytest.fixture
def service(db: Session, content: Content, learner_user: User) -> PlanService:
    return PlanService(db, content, learner_user.id)


def look(service: PlanService, day: date) -> Outlook:
    with freeze_time(datetime(day.year, day.month, day.day, 20, tzinfo=UTC)):
        outlook = service.outlook()
    assert outlook is not None
    return outlook


def make(service: PlanService, content: Content, **changes: object) -> Outlook:
    with freeze_time(NOON):
        return service.make(plans.wishes(content, TRACK, **changes))


def master(db: Session, content: Content, user: User, module: str, at: datetime) -> None:
    """Everything in the module that can be shown without a lab: lessons read, all questions right, activities approved."""
    for activity in content.roadmap.activities.values():
        if activity.module == module or {t.id for t in content.roadmap.modules[module].topics} & set(
            activity.topics
        ):
            made = activities.work(db, user, activity.id, state=WorkState.APPROVED, done_at=at, approved_at=at)
            made.started_at = at
    for name in content.roadmap.modules[module].lessons:
        db.add(LessonRead(user_id=user.id, lesson_id=name, content_hash="", created_at=at))
    topics = {topic.id for topic in content.roadmap.modules[module].topics}
    for question in content.bank.questions.values():
        if topics & set(question.topics) and db.get(ReviewCard, (user.id, question.id)) is None:
            db.add(
                ReviewCard(
                    user_id=user.id, question_id=question.id, state=2, step=None, stability=5.0, difficulty=5.0,
                    due=at + timedelta(days=400), last_review=at, content_hash="", first_fraction=1.0, first_right_at=at,
                    right_again_at=at + timedelta(days=1),
                )
            )  # fmt: skip
            db.flush()
    db.flush()


@pytest.mark.parametrize(
    "track", ["solution-architect", "aws-mastery", "senior-microservices", "resilient-api"]
)
def test_no_module_comes_before_what_it_builds_on(content: Content, track: str) -> None:
    found = [module.id for module in ordered(content.roadmap.tracks[track], content.roadmap)]

    assert sorted(found) == sorted(content.roadmap.tracks[track].modules)
    for place, name in enumerate(found):
        assert not set(content.roadmap.modules[name].prerequisites) & set(found[place:])


def test_a_new_plan_keeps_what_it_promised(db: Session, service: PlanService, content: Content) -> None:
    outlook = make(service, content)

    stored = db.scalars(select(StudyPlan)).one()
    hours = sum(content.roadmap.modules[name].hours for name in content.roadmap.tracks[TRACK].modules)
    assert sum(minutes for week in stored.promise for minutes in week["minutes"].values()) == 60 * hours
    assert stored.promised_on == outlook.ends_on
    assert look(service, MONDAY).weeks_late == 0
    assert look(service, MONDAY + timedelta(days=6)).weeks_late == 0  # a week isn't lost before it is over
    assert outlook.offers is None


def test_every_lesson_lab_and_activity_that_the_hours_hold_is_named_in_some_week(
    service: PlanService, content: Content
) -> None:
    outlook = make(service, content)

    named = {(item.kind, item.id) for week in outlook.ahead for item in week.items}
    for name in content.roadmap.tracks[TRACK].modules:
        module = content.roadmap.modules[name]
        assert {(ItemKind.LESSON, lesson) for lesson in module.lessons} <= named
        assert {(ItemKind.LAB, lab) for lab in module.labs} <= named
        made = {name for kind, name in named if kind is ItemKind.ACTIVITY}
        assert made & {activity.id for activity in module.activities} == within_hours(module, content)
    begun = [
        (i.kind, i.id)
        for week in outlook.ahead
        for i in week.items
        if not i.goes_on and i.kind != ItemKind.MODULE
    ]
    assert len(begun) == len(set(begun))


def test_a_learner_who_did_nothing_is_late_and_gets_three_offers(
    service: PlanService, content: Content
) -> None:
    promised = make(service, content).plan.promised_on

    outlook = look(service, MONDAY + timedelta(weeks=2))

    assert outlook.weeks_late == 2
    assert [week.number for week in outlook.passed] == [2, 1]
    assert all(week.deeds.none and week.promised for week in outlook.passed)
    offers = outlook.offers
    assert offers is not None
    assert offers.by == promised
    assert offers.hours is not None
    assert offers.hours > 6
    assert offers.later == outlook.ends_on
    assert offers.leave_out


@pytest.mark.parametrize("offer", ["hours", "leave_out", "later"])
def test_an_offer_that_is_taken_keeps_its_word(service: PlanService, content: Content, offer: str) -> None:
    make(service, content)
    day = MONDAY + timedelta(weeks=3, days=3)
    late = look(service, day)
    assert late.offers is not None
    assert late.offers.hours is not None
    wishes = wishes_of(late)
    if offer == "hours":
        wishes = replace(wishes, hours=late.offers.hours)
    if offer == "leave_out":
        wishes = replace(wishes, left_out=tuple(module.id for module in late.offers.leave_out))

    with freeze_time(datetime(day.year, day.month, day.day, 21, tzinfo=UTC)):
        changed = service.make(wishes)

    assert changed.ends_on is not None
    assert changed.ends_on <= (late.offers.by if offer != "later" else late.offers.later)
    assert len(service.history()) == 1


def test_the_plan_shortens_as_work_is_done(
    db: Session, service: PlanService, content: Content, learner_user: User
) -> None:
    before = make(service, content)
    assert before.ends_on is not None
    first = ordered(content.roadmap.tracks[TRACK], content.roadmap)[0]
    master(db, content, learner_user, first.id, datetime(2026, 9, 8, 9, tzinfo=UTC))

    outlook = look(service, MONDAY + timedelta(days=2))

    assert outlook.minutes_left <= before.minutes_left - first.hours * 60
    assert outlook.weeks_late < 0
    assert outlook.ahead[0].items == tuple(replace(item, done=True) for item in before.ahead[0].items)
    assert first.title not in {title for week in outlook.ahead[1:] for title in week.modules}
    passed = look(service, MONDAY + timedelta(weeks=1)).passed[0]
    titles = {content.roadmap.lessons[name].title for name in first.lessons}
    assert set(passed.deeds.lessons) == titles
    assert passed.deeds.questions > 10
    assert first.title in passed.promised


def test_what_was_done_before_the_week_is_not_asked_again(
    db: Session, service: PlanService, content: Content, learner_user: User
) -> None:
    first = ordered(content.roadmap.tracks[TRACK], content.roadmap)[0]
    master(db, content, learner_user, first.id, NOON - timedelta(days=3))

    outlook = make(service, content)

    assert all(item.module_id != first.id for week in outlook.ahead for item in week.items)


@pytest.mark.parametrize(("weeks", "possible"), [(150, True), (10, False), (1, False)])
def test_a_target_is_met_or_said_how(
    service: PlanService, content: Content, weeks: int, possible: bool
) -> None:
    target = MONDAY + timedelta(weeks=weeks)

    outlook = make(service, content, target_on=target)

    assert outlook.meets_target is possible
    if possible:
        assert outlook.offers is None
    elif weeks == 10:
        assert outlook.offers is not None
        assert outlook.offers.hours is not None
        again = make(service, content, target_on=target, hours=outlook.offers.hours)
        assert again.meets_target
        assert not make(service, content, target_on=target, hours=outlook.offers.hours - 1).meets_target
    else:
        assert outlook.offers is not None
        assert outlook.offers.hours is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"hours": 0},
        {"hours": 61},
        {"starts_on": MONDAY - timedelta(days=1)},
        {"target_on": MONDAY},
        {"days_off": (0, 1, 2, 3, 4, 5, 6)},
        {"left_out": ("api-gateway",)},
        {"holidays": (MONDAY,) * 31},
    ],
)
def test_a_wish_that_no_plan_can_meet_is_refused(
    service: PlanService, content: Content, wrong: dict[str, object]
) -> None:
    with pytest.raises(Invalid):
        make(service, content, **wrong)


def test_weeks_off_are_jumped(service: PlanService, content: Content) -> None:
    outlook = make(service, content, holidays=(MONDAY + timedelta(days=9),))

    assert [week.is_off for week in outlook.ahead[:3]] == [False, True, False]


def test_a_ready_made_plan_is_ticked_off_by_evidence_and_by_hand(
    db: Session, service: PlanService, content: Content, learner_user: User
) -> None:
    with freeze_time(NOON):
        service.make(plans.ready_wishes(content, "weekly-tracker"))
    first = look(service, MONDAY)
    assert first.plan.promised_on == MONDAY + timedelta(weeks=16, days=-1) == first.ends_on
    assert not any(aim.done for part in first.parts for aim in part.aims)

    master(db, content, learner_user, "go-services", datetime(2026, 9, 8, 9, tzinfo=UTC))
    tasks = {task.id: "passed" for task in content.labs.labs["saga-compensation"].tasks}
    submissions.submission(
        db,
        learner_user,
        lab_id="saga-compensation",
        results=tasks,
        finished_at=datetime(2026, 9, 9, tzinfo=UTC),
    )
    service.tick("tracker-go-api-docs", done=True)
    db.flush()

    outlook = look(service, MONDAY + timedelta(days=3))
    states = {aim.aim.id: (aim.by_evidence, aim.by_hand) for part in outlook.parts for aim in part.aims}
    assert states["tracker-go-tour"] == (True, False)
    assert states["tracker-go-api-docs"] == (False, True)
    assert states["tracker-saga"] == (False, False)  # its lesson is not read
    assert outlook.weeks_late < 0
    assert look(service, MONDAY + timedelta(weeks=5)).this_part == outlook.parts[2]

    service.tick("tracker-go-api-docs", done=False)
    db.flush()
    assert db.scalars(select(PlanTick)).all() == []
    with pytest.raises(NotFound):
        service.tick("no-such-aim", done=True)


def test_a_lab_counts_only_when_every_task_was_submitted(
    db: Session, service: PlanService, content: Content, learner_user: User
) -> None:
    tasks = [task.id for task in content.labs.labs["saga-compensation"].tasks]
    submissions.submission(
        db, learner_user, lab_id="saga-compensation", results=dict.fromkeys(tasks[:-1], "passed")
    )
    assert not service.reckoner().now.is_done("lab/saga-compensation")

    submissions.submission(db, learner_user, lab_id="saga-compensation", results={tasks[-1]: "passed"})
    assert service.reckoner().now.is_done("lab/saga-compensation")


def test_there_is_one_current_plan(db: Session, service: PlanService, content: Content) -> None:
    make(service, content)
    make(service, content, hours=10)

    assert [
        plan.hours_per_week for plan in db.scalars(select(StudyPlan).where(StudyPlan.ended_at.is_(None)))
    ] == [10]
    assert [plan.hours_per_week for plan in service.history()] == [6]


def test_a_plan_whose_track_is_gone_has_no_outlook(db: Session, service: PlanService, content: Content) -> None:
    make(service, content)
    db.scalars(select(StudyPlan)).one().track_id = "gone"
    db.flush()

    assert service.outlook() is None
