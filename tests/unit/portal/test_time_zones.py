"""A learner's days are those of their own time zone, wherever the product speaks of days."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from freezegun import freeze_time
from icalendar import Calendar
from sqlalchemy.orm import Session

from portal.content import Content
from portal.errors import Invalid
from portal.features.home import views as home
from portal.features.plan.calendar import calendar_file
from portal.features.plan.service import PlanService
from portal.features.practice import Encounter, Recorder, rebuilding
from portal.features.reviews import views as reviews
from portal.features.roadmap import ProgressService, TopicState
from portal.features.scorecard.service import ScorecardService
from portal.models import LessonRead, QuizAnswer, QuizAttempt, ReviewCard, User
from portal.settings import Settings
from tests.factories import plans, users
from tests.fixtures import questions
from tests.fixtures.portal import Client, signed_in

TOKYO, LOS_ANGELES = "Asia/Tokyo", "America/Los_Angeles"
SUNDAY_NIGHT = datetime(2026, 5, 31, 20, tzinfo=UTC)
"""Monday, 1 June, 5:00 in Tokyo."""
ONE = questions.question("single")


@pytest.fixture
def user(db: Session) -> User:
    return users.user(db)


@pytest.fixture
def bank(content: Content) -> Content:
    return questions.content_of(content, ONE)


def right(db: Session, user: User, at: datetime) -> None:
    given = questions.right_answer(ONE, 0)
    Recorder(db).record(user.id, [Encounter(ONE, ONE.grade(given, 0), at)])


class TestEvidence:
    EVENING = datetime(2026, 5, 4, 14, 30, tzinfo=UTC)
    NIGHT = EVENING + timedelta(hours=1)
    """0:30 of the next day in Tokyo."""

    @pytest.mark.parametrize(("zone", "state"), [("", TopicState.UNSEEN), (TOKYO, TopicState.PRACTISED)])
    def test_two_days_are_two_days_of_the_learner(
        self, db: Session, bank: Content, user: User, zone: str, state: TopicState
    ) -> None:
        user.time_zone = zone
        right(db, user, self.EVENING)
        right(db, user, self.NIGHT)
        assert ProgressService(db, bank).of(user.id).topics[questions.TOPIC].state == state

    def test_the_reason_names_the_learner_s_day(self, db: Session, bank: Content, user: User) -> None:
        user.time_zone = TOKYO
        right(db, user, self.NIGHT)
        assert "on 5 May 2026" in ProgressService(db, bank).of(user.id).topics[questions.TOPIC].hint

    def test_who_moves_keeps_what_was_practised(self, db: Session, bank: Content, user: User) -> None:
        user.time_zone = TOKYO
        right(db, user, self.EVENING)
        right(db, user, self.NIGHT)
        user.time_zone = LOS_ANGELES
        found = ProgressService(db, bank).of(user.id).topics[questions.TOPIC]
        assert found.state == TopicState.PRACTISED

    def test_quizzes_from_before_there_were_cards_count_by_the_learner_s_days(
        self, db: Session, bank: Content, user: User
    ) -> None:
        user.time_zone = TOKYO
        for at in (self.EVENING, self.NIGHT):
            attempt = QuizAttempt(
                user_id=user.id, module_id="m", seed=1, created_at=at, finished_at=at, score=1
            )
            attempt.answers = [
                QuizAnswer(question_id=ONE.id, position=1, content_hash="", fraction=1, correct=True)
            ]
            db.add(attempt)
        db.flush()
        found = ProgressService(db, bank).of(user.id).topics[questions.TOPIC]
        assert found.state == TopicState.PRACTISED
        rebuilding.rebuild(db, bank.bank)
        card = db.get_one(ReviewCard, (user.id, ONE.id))
        assert card.right_again_at == self.NIGHT


class TestFirstPage:
    def test_the_strip_marks_the_learner_s_day(self) -> None:
        zone = ZoneInfo(TOKYO)
        days = home.strip([SUNDAY_NIGHT], date(2026, 6, 2), zone)
        assert [day.day for day in days if day.active] == [date(2026, 6, 1)]

    def test_it_names_the_zone(self, app: Flask, settings: Settings, db: Session, user: User) -> None:
        user.time_zone = TOKYO
        db.add(LessonRead(user_id=user.id, lesson_id="read", content_hash=""))
        db.commit()
        assert "of the last eight weeks (Asia/Tokyo)" in signed_in(app, settings, user).get("/").text


class TestPlan:
    def test_today_and_the_weeks_are_the_learner_s(self, db: Session, content: Content, user: User) -> None:
        user.time_zone = TOKYO
        service = PlanService(db, content, user.id)
        monday = date(2026, 5, 25)
        with freeze_time(datetime(2026, 5, 24, 23, tzinfo=UTC)):
            assert service.today == monday
            service.make(plans.wishes(content, starts_on=monday))
        lesson = next(iter(content.roadmap.lessons.values()))
        db.add(LessonRead(user_id=user.id, lesson_id=lesson.id, content_hash="", created_at=SUNDAY_NIGHT))
        db.flush()

        with freeze_time(SUNDAY_NIGHT):
            before = service.outlook()
        with freeze_time(SUNDAY_NIGHT + timedelta(days=7)):
            after = service.outlook()

        assert before is not None
        assert after is not None
        assert (before.today, before.number) == (date(2026, 6, 1), 2)
        assert [(week.monday, week.deeds.lessons) for week in after.passed] == [
            (date(2026, 6, 1), (lesson.title,)),
            (monday, ()),
        ]

    def test_a_plan_can_start_on_the_learner_s_today_and_not_before(
        self, db: Session, content: Content, user: User
    ) -> None:
        user.time_zone = TOKYO
        service = PlanService(db, content, user.id)
        with freeze_time(SUNDAY_NIGHT):
            with pytest.raises(Invalid, match="starts today"):
                service.make(plans.wishes(content, starts_on=date(2026, 5, 31)))
            assert service.make(plans.wishes(content, starts_on=date(2026, 6, 1))).today == date(2026, 6, 1)

    def test_the_calendar_begins_with_the_learner_s_week(
        self, db: Session, content: Content, user: User
    ) -> None:
        user.time_zone = TOKYO
        service = PlanService(db, content, user.id)
        with freeze_time(SUNDAY_NIGHT):
            service.make(plans.wishes(content, starts_on=date(2026, 6, 1)))
            body = calendar_file(service.outlook(), owner=1, origin="http://localhost", now=SUNDAY_NIGHT)
        starts = [event["dtstart"].dt for event in Calendar.from_ical(body).walk("VEVENT")]
        assert min(day for day in starts if not isinstance(day, datetime)) == date(2026, 6, 1)
        assert all(at.tzinfo is None for at in starts if isinstance(at, datetime))


class TestScorecard:
    def test_a_month_begins_with_the_learner_s_first_day(
        self, db: Session, content: Content, user: User
    ) -> None:
        assert ScorecardService(db, content, user.id, SUNDAY_NIGHT).month == "2026-05"
        user.time_zone = TOKYO
        assert ScorecardService(db, content, user.id, SUNDAY_NIGHT).month == "2026-06"

    def test_who_flies_west_stays_in_the_month_that_has_begun(
        self, db: Session, content: Content, user: User
    ) -> None:
        progress = ProgressService(db, content).of(user.id)
        user.time_zone = TOKYO
        ScorecardService(db, content, user.id, SUNDAY_NIGHT - timedelta(days=3)).look(progress)
        ScorecardService(db, content, user.id, SUNDAY_NIGHT).look(progress)
        user.time_zone = LOS_ANGELES
        card = ScorecardService(db, content, user.id, SUNDAY_NIGHT)
        assert [month.key for month in card.look(progress).months] == ["2026-05", "2026-06"]
        assert card.today == date(2026, 5, 31)

    def test_an_entry_may_have_the_learner_s_today(self, db: Session, content: Content, user: User) -> None:
        name = content.roadmap.scorecard.commitments[0].id
        with pytest.raises(Invalid, match="today is 2026-05-31"):
            ScorecardService(db, content, user.id, SUNDAY_NIGHT).log(name, "2026-06-01", "", "")
        user.time_zone = TOKYO
        entry = ScorecardService(db, content, user.id, SUNDAY_NIGHT).log(name, "2026-06-01", "", "")
        assert entry.day == date(2026, 6, 1)


class TestPractice:
    def test_the_forecast_counts_by_the_learner_s_days(self) -> None:
        due = SUNDAY_NIGHT + timedelta(hours=5)  # 1 June in UTC as in Tokyo
        here, there = (reviews.forecast([due], SUNDAY_NIGHT, zone) for zone in (UTC, ZoneInfo(TOKYO)))
        assert [bar.count for bar in here.bars[:2]] == [0, 1]
        assert [bar.count for bar in there.bars[:2]] == [1, 0]
        assert there.bars[0].day == date(2026, 6, 1)

    def test_tomorrow_is_the_learner_s(self) -> None:
        tokyo = ZoneInfo(TOKYO)
        assert reviews.until(SUNDAY_NIGHT + timedelta(hours=22), SUNDAY_NIGHT, UTC) == "tomorrow"
        assert reviews.until(SUNDAY_NIGHT + timedelta(hours=22), SUNDAY_NIGHT, tokyo) == "tomorrow"
        early = SUNDAY_NIGHT - timedelta(hours=4, minutes=50)  # ten past midnight
        assert reviews.until(early + timedelta(hours=22), early, tokyo) == "in 22 hours"
        assert reviews.until(early + timedelta(hours=28), early, tokyo) == "tomorrow"
        assert reviews.until(early + timedelta(days=3), early, tokyo) == "in 3 days"


class TestSettings:
    def test_a_browser_tells_the_zone_once(self, learner: Client, learner_user: User, db: Session) -> None:
        asks = 'data-tell-zone="/account/time-zone"'
        assert asks in learner.get("/roadmap/").text
        told = learner.post("/account/time-zone", {"by": "browser", "time_zone": TOKYO})
        assert told.status_code == 204
        assert asks not in learner.get("/roadmap/").text
        again = learner.post("/account/time-zone", {"by": "browser", "time_zone": LOS_ANGELES})
        assert again.status_code == 204
        db.refresh(learner_user)
        assert learner_user.time_zone == TOKYO

    @pytest.mark.parametrize("name", ["", "Mars/Olympus", "../../etc/passwd", "Europe/Vienna" * 100])
    def test_what_is_no_zone_is_refused(
        self, learner: Client, learner_user: User, db: Session, name: str
    ) -> None:
        for by in ("browser", ""):
            answer = learner.post("/account/time-zone", {"by": by, "time_zone": name})
            assert answer.status_code == 422
            assert "Choose one from the list" in answer.text
        db.refresh(learner_user)
        assert learner_user.time_zone == ""

    def test_the_learner_changes_it(self, learner: Client, learner_user: User, db: Session) -> None:
        page = learner.get("/account/").text
        assert re.search(r'<option[^>]*selected[^>]*value="UTC"', page)
        assert "Until it is known, days are those of UTC." in page
        saved = learner.post("/account/time-zone", {"time_zone": "Europe/Vienna"}, follow_redirects=True)
        assert "Your days are now those of Europe/Vienna." in saved.text
        assert re.search(r'<option[^>]*selected[^>]*value="Europe/Vienna"', saved.text)

    def test_an_old_name_that_the_browser_told_can_be_kept(
        self, learner: Client, learner_user: User, db: Session
    ) -> None:
        learner_user.time_zone = "EST5EDT"
        db.commit()
        page = learner.get("/account/").text
        assert re.search(r'<option[^>]*selected[^>]*value="EST5EDT"', page)
        refused = learner.post("/account/", {"which": "profile", "display_name": "", "email": "a@b.example"})
        assert re.search(r'<option[^>]*selected[^>]*value="EST5EDT"', refused.text)

    def test_times_are_shown_by_the_learner_s_clock(
        self, app: Flask, settings: Settings, db: Session, user: User, content: Content
    ) -> None:
        module = next(iter(content.roadmap.modules))
        at = datetime(2026, 5, 4, 23, 30, tzinfo=UTC)
        attempt = QuizAttempt(
            user_id=user.id, module_id=module, seed=1, created_at=at, finished_at=at, score=0.0
        )
        db.add_all([attempt, LessonRead(user_id=user.id, lesson_id="read", content_hash="")])
        user.time_zone = "Europe/Vienna"
        db.commit()
        assert "5 May 2026, 01:30 CEST" in signed_in(app, settings, user).get("/").text
