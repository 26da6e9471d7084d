"""A learner's work on activities, and the queue of the instructors."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.content import Content
from portal.errors import Conflict, Forbidden, Invalid, NotFound
from portal.features.portfolio import queries, service
from portal.features.portfolio.forms import Draft
from portal.features.portfolio.reviewing import CLAIM_HOURS, COMMENT_MOST, ReviewService
from portal.features.portfolio.service import NOTE_MOST, TEXT_MOST, PortfolioService, Unfit
from portal.features.roadmap import ProgressService, TopicState
from portal.models import ActivityWork, HandIn, Role, User, Verdict, WorkState, utcnow
from roadmap import Kind
from tests.factories import activities, users

ACTIVITY = activities.activity()
DRAFT = Draft("https://code.example.org/lost", "It *was* lost.\r\n", ("In the first part.", ""))


@pytest.fixture
def user(db: Session) -> User:
    return users.user(db)


@pytest.fixture
def instructor(db: Session) -> User:
    return users.user(db, role=Role.INSTRUCTOR)


@pytest.fixture
def made(content: Content) -> Content:
    return activities.content_with(content)


@pytest.fixture
def portfolio(db: Session, made: Content, user: User) -> PortfolioService:
    return PortfolioService(db, made, user.id)


@pytest.fixture
def reviews(db: Session, instructor: User) -> ReviewService:
    return ReviewService(db, instructor.id)


def state(portfolio: PortfolioService) -> WorkState | None:
    return portfolio.folder(ACTIVITY).state


def decided(
    db: Session,
    portfolio: PortfolioService,
    reviews: ReviewService,
    verdict: Verdict,
    comment: str = "Show more.",
) -> HandIn:
    handed = portfolio.hand_in(ACTIVITY, DRAFT)
    reviews.claim(handed.id)
    reviews.decide(handed.id, verdict, comment)
    db.refresh(handed)
    return handed


class TestLearner:
    def test_beginning_twice_is_beginning_once(self, db: Session, portfolio: PortfolioService) -> None:
        assert state(portfolio) is None
        portfolio.start(ACTIVITY)
        portfolio.start(ACTIVITY)
        assert state(portfolio) == WorkState.STARTED
        assert len(db.scalars(select(ActivityWork)).all()) == 1

    def test_a_tick_can_be_taken_away(self, portfolio: PortfolioService) -> None:
        portfolio.call_done(ACTIVITY, done=True)
        assert state(portfolio) == WorkState.DONE
        portfolio.call_done(ACTIVITY, done=False)
        folder = portfolio.folder(ACTIVITY)
        assert (folder.state, folder.work and folder.work.done_at) == (WorkState.STARTED, None)

    def test_what_is_handed_in_is_kept_as_it_was(self, portfolio: PortfolioService) -> None:
        handed = portfolio.hand_in(ACTIVITY, DRAFT)
        assert (handed.link, handed.text) == ("https://code.example.org/lost", "It *was* lost.")
        assert handed.notes == [
            {"condition": ACTIVITY.done_when[0], "note": "In the first part."},
            {"condition": ACTIVITY.done_when[1], "note": ""},
        ]
        folder = portfolio.folder(ACTIVITY)
        assert folder.state == WorkState.HANDED_IN
        assert folder.waiting is handed
        assert folder.work is not None
        assert folder.work.done_at is not None

    @pytest.mark.parametrize(
        ("draft", "field"),
        [
            (Draft("", "  ", ()), "link"),
            (Draft("http://code.example.org", "", ()), "link"),
            (Draft("javascript:alert(1)", "", ()), "link"),
            (Draft("https://", "", ()), "link"),
            (Draft("https://me:secret@code.example.org", "", ()), "link"),
            (Draft("https://code.example.org/a b", "", ()), "link"),
            (Draft("https://code.example.org:x", "", ()), "link"),
            (Draft("https://code.example.org/" + "a" * 500, "", ()), "link"),
            (Draft("", "a" * (TEXT_MOST + 1), ()), "text"),
            (Draft("", "text", ("a" * (NOTE_MOST + 1), "")), "note-0"),
        ],
    )
    def test_what_can_t_be_looked_at_is_refused(
        self, portfolio: PortfolioService, draft: Draft, field: str
    ) -> None:
        with pytest.raises(Unfit) as refused:
            portfolio.hand_in(ACTIVITY, draft)
        assert list(refused.value.fields) == [field]
        assert portfolio.folder(ACTIVITY).versions == []

    def test_a_text_of_exactly_the_limit_is_taken(self, portfolio: PortfolioService) -> None:
        assert len(portfolio.hand_in(ACTIVITY, Draft("", "a" * TEXT_MOST, ())).text) == TEXT_MOST

    def test_one_version_waits_at_a_time(self, portfolio: PortfolioService) -> None:
        portfolio.hand_in(ACTIVITY, DRAFT)
        with pytest.raises(Conflict, match="waits for an instructor"):
            portfolio.hand_in(ACTIVITY, DRAFT)

    def test_it_can_be_taken_back_until_somebody_looks(
        self, portfolio: PortfolioService, reviews: ReviewService
    ) -> None:
        portfolio.hand_in(ACTIVITY, DRAFT)
        portfolio.withdraw(ACTIVITY)
        assert state(portfolio) == WorkState.DONE
        second = portfolio.hand_in(ACTIVITY, DRAFT)
        reviews.claim(second.id)
        with pytest.raises(Conflict, match="looking at it"):
            portfolio.withdraw(ACTIVITY)
        assert [v.hand_in.verdict for v in portfolio.folder(ACTIVITY).versions] == [Verdict.WITHDRAWN, None]

    def test_after_a_return_a_new_version_follows_and_both_stay(
        self, db: Session, portfolio: PortfolioService, reviews: ReviewService, instructor: User
    ) -> None:
        decided(db, portfolio, reviews, Verdict.RETURNED)
        assert state(portfolio) == WorkState.RETURNED
        decided(db, portfolio, reviews, Verdict.APPROVED, "")
        folder = portfolio.folder(ACTIVITY)
        assert [(v.number, v.hand_in.verdict, v.decider) for v in folder.versions] == [
            (1, Verdict.RETURNED, instructor.display_name),
            (2, Verdict.APPROVED, instructor.display_name),
        ]
        assert folder.state == WorkState.APPROVED
        with pytest.raises(Conflict, match="approved already"):
            portfolio.hand_in(ACTIVITY, DRAFT)
        with pytest.raises(Conflict):
            portfolio.call_done(ACTIVITY, done=False)

    def test_there_is_room_for_so_many_versions(
        self, db: Session, portfolio: PortfolioService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(service, "VERSIONS_MOST", 2)
        for _ in range(2):
            portfolio.hand_in(ACTIVITY, DRAFT)
            portfolio.withdraw(ACTIVITY)
        with pytest.raises(Conflict, match="2 times"):
            portfolio.hand_in(ACTIVITY, DRAFT)

    def test_a_day_has_a_limit_over_all_activities(
        self, db: Session, portfolio: PortfolioService, user: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(service, "HAND_INS_A_DAY", 2)
        for name in ("kafka-fundamentals-artifact", "api-gateway-artifact"):
            activities.hand_in(db, activities.work(db, user, name, state=WorkState.HANDED_IN))
        activities.hand_in(db, activities.work(db, users.user(db)))
        with pytest.raises(Conflict, match="within a day"):
            portfolio.hand_in(ACTIVITY, DRAFT)
        for old in db.scalars(select(HandIn)):
            old.created_at = utcnow() - timedelta(days=2)
        db.flush()
        portfolio.hand_in(ACTIVITY, DRAFT)

    def test_what_was_begun_by_mistake_can_be_put_away(self, portfolio: PortfolioService) -> None:
        portfolio.start(ACTIVITY)
        portfolio.leave(ACTIVITY)
        assert state(portfolio) is None
        portfolio.hand_in(ACTIVITY, DRAFT)
        portfolio.withdraw(ACTIVITY)
        with pytest.raises(Conflict, match="stays"):
            portfolio.leave(ACTIVITY)

    def test_a_renamed_activity_keeps_its_history(
        self, db: Session, content: Content, portfolio: PortfolioService, reviews: ReviewService, user: User
    ) -> None:
        decided(db, portfolio, reviews, Verdict.RETURNED)
        new = activities.activity("show-a-lost-update")
        renamed = activities.content_with(
            content, new, replaced={Kind.ACTIVITY: {activities.NAME: "show-a-lost-update"}}
        )
        now = PortfolioService(db, renamed, user.id)
        assert now.activity(activities.NAME) == new
        assert now.folder(new).state == WorkState.RETURNED
        now.hand_in(new, DRAFT)
        assert [v.number for v in now.folder(new).versions] == [1, 2]
        assert len(db.scalars(select(ActivityWork)).all()) == 1

    def test_what_is_not_there_is_not_found(self, portfolio: PortfolioService) -> None:
        with pytest.raises(NotFound):
            portfolio.activity("never")


class TestInstructors:
    def test_the_queue_is_oldest_first_and_holds_what_waits(self, db: Session, instructor: User) -> None:
        ids = []
        for days, verdict in ((1, None), (3, None), (2, Verdict.APPROVED)):
            made = activities.hand_in(
                db, activities.work(db, users.user(db)), verdict=verdict, by=instructor if verdict else None
            )
            made.created_at = utcnow() - timedelta(days=days)
            ids.append(made.id)
        db.flush()
        assert [line.hand_in.id for line in queries.waiting(db)] == [ids[1], ids[0]]
        assert [line.hand_in.id for line in queries.decided(db)] == [ids[2]]

    def test_only_one_has_it(
        self, db: Session, portfolio: PortfolioService, reviews: ReviewService, instructor: User
    ) -> None:
        handed = portfolio.hand_in(ACTIVITY, DRAFT)
        other = ReviewService(db, users.user(db, role=Role.INSTRUCTOR).id)
        reviews.claim(handed.id)
        reviews.claim(handed.id)
        with pytest.raises(Conflict, match=instructor.display_name):
            other.claim(handed.id)
        with pytest.raises(Conflict):
            other.decide(handed.id, Verdict.APPROVED, "")
        with pytest.raises(Conflict):
            other.release(handed.id)
        assert not other.may_claim(other.line(handed.id))
        reviews.release(handed.id)
        assert other.may_claim(other.line(handed.id))
        other.claim(handed.id)
        other.decide(handed.id, Verdict.APPROVED, "")
        assert state(portfolio) == WorkState.APPROVED

    def test_a_forgotten_claim_can_be_taken_over(
        self, db: Session, portfolio: PortfolioService, reviews: ReviewService
    ) -> None:
        handed = portfolio.hand_in(ACTIVITY, DRAFT)
        reviews.claim(handed.id)
        db.refresh(handed)
        handed.claimed_at = utcnow() - timedelta(hours=CLAIM_HOURS, minutes=1)
        db.flush()
        other = ReviewService(db, users.user(db, role=Role.INSTRUCTOR).id)
        other.claim(handed.id)
        with pytest.raises(Conflict):
            reviews.decide(handed.id, Verdict.APPROVED, "")

    def test_nothing_is_decided_without_a_claim_or_twice(
        self, db: Session, portfolio: PortfolioService, reviews: ReviewService
    ) -> None:
        handed = portfolio.hand_in(ACTIVITY, DRAFT)
        with pytest.raises(Conflict):
            reviews.decide(handed.id, Verdict.APPROVED, "")
        reviews.claim(handed.id)
        reviews.decide(handed.id, Verdict.RETURNED, "Show the second session.")
        with pytest.raises(Conflict):
            reviews.decide(handed.id, Verdict.APPROVED, "")
        with pytest.raises(Conflict, match="decided already"):
            reviews.claim(handed.id)
        assert state(portfolio) == WorkState.RETURNED

    def test_a_return_says_what_is_missing(self, portfolio: PortfolioService, reviews: ReviewService) -> None:
        handed = portfolio.hand_in(ACTIVITY, DRAFT)
        reviews.claim(handed.id)
        with pytest.raises(Invalid, match="what is missing"):
            reviews.decide(handed.id, Verdict.RETURNED, "  ")
        with pytest.raises(Invalid, match="characters"):
            reviews.decide(handed.id, Verdict.APPROVED, "a" * (COMMENT_MOST + 1))
        assert state(portfolio) == WorkState.HANDED_IN

    def test_nobody_approves_their_own_work(
        self, db: Session, made: Content, instructor: User, reviews: ReviewService
    ) -> None:
        handed = PortfolioService(db, made, instructor.id).hand_in(ACTIVITY, DRAFT)
        with pytest.raises(Forbidden):
            reviews.claim(handed.id)
        handed.claimed_by = instructor.id
        db.flush()
        with pytest.raises(Forbidden):
            reviews.decide(handed.id, Verdict.APPROVED, "")

    def test_what_was_never_handed_in_is_not_found(self, reviews: ReviewService) -> None:
        with pytest.raises(NotFound):
            reviews.claim(4711)


class TestTakingAnApprovalBack:
    WHY = "The second session is a copy of the first."

    def test_the_topics_fall_and_the_decision_stays_in_the_record(
        self, db: Session, made: Content, portfolio: PortfolioService, reviews: ReviewService, user: User
    ) -> None:
        handed = decided(db, portfolio, reviews, Verdict.APPROVED, "Well shown.")
        progress = ProgressService(db, made)
        assert {progress.of(user.id).topics[name].state for name in activities.TOPICS} == {TopicState.PROVEN}
        other = users.user(db, role=Role.INSTRUCTOR)

        ReviewService(db, other.id).revoke(handed.id, self.WHY)

        now = progress.of(user.id)
        assert {now.topics[name].state for name in activities.TOPICS} == {TopicState.PRACTISED}
        assert now.activities[activities.NAME].approved_at is None
        assert state(portfolio) == WorkState.RETURNED
        (version,) = portfolio.folder(ACTIVITY).versions
        assert (version.hand_in.verdict, version.hand_in.comment) == (Verdict.APPROVED, "Well shown.")
        assert (version.hand_in.revocation, version.revoker) == (self.WHY, other.display_name)
        assert version.decider != other.display_name

    def test_a_new_version_can_be_approved(
        self, db: Session, portfolio: PortfolioService, reviews: ReviewService
    ) -> None:
        first = decided(db, portfolio, reviews, Verdict.APPROVED)
        reviews.revoke(first.id, self.WHY)
        second = decided(db, portfolio, reviews, Verdict.APPROVED)
        assert state(portfolio) == WorkState.APPROVED
        with pytest.raises(Conflict):
            reviews.revoke(first.id, self.WHY)
        assert state(portfolio) == WorkState.APPROVED
        assert [v.hand_in.revoked_at is None for v in portfolio.folder(ACTIVITY).versions] == [False, True]
        reviews.revoke(second.id, self.WHY)
        assert state(portfolio) == WorkState.RETURNED

    def test_it_needs_a_reason(self, db: Session, portfolio: PortfolioService, reviews: ReviewService) -> None:
        handed = decided(db, portfolio, reviews, Verdict.APPROVED)
        with pytest.raises(Invalid, match="Say why"):
            reviews.revoke(handed.id, " \n ")
        with pytest.raises(Invalid, match="characters"):
            reviews.revoke(handed.id, "a" * (COMMENT_MOST + 1))
        assert state(portfolio) == WorkState.APPROVED

    @pytest.mark.parametrize("verdict", [Verdict.RETURNED, None])
    def test_only_an_approval_can_be_taken_back(
        self, db: Session, portfolio: PortfolioService, reviews: ReviewService, verdict: Verdict | None
    ) -> None:
        handed = decided(db, portfolio, reviews, verdict) if verdict else portfolio.hand_in(ACTIVITY, DRAFT)
        before = state(portfolio)
        assert not reviews.may_revoke(reviews.line(handed.id))
        with pytest.raises(Conflict, match="no approval"):
            reviews.revoke(handed.id, self.WHY)
        assert state(portfolio) == before

    def test_nobody_takes_back_what_is_their_own(
        self, db: Session, made: Content, instructor: User, reviews: ReviewService
    ) -> None:
        own = PortfolioService(db, made, instructor.id)
        handed = own.hand_in(ACTIVITY, DRAFT)
        other = ReviewService(db, users.user(db, role=Role.INSTRUCTOR).id)
        other.claim(handed.id)
        other.decide(handed.id, Verdict.APPROVED, "")
        assert not reviews.may_revoke(reviews.line(handed.id))
        with pytest.raises(Forbidden):
            reviews.revoke(handed.id, self.WHY)

    def test_it_stands_first_among_what_was_decided_lately(
        self, db: Session, reviews: ReviewService, instructor: User
    ) -> None:
        made = []
        for days in range(queries.DECIDED_MOST + 5):
            work = activities.work(db, users.user(db), state=WorkState.APPROVED, approved_at=utcnow())
            one = activities.hand_in(db, work, verdict=Verdict.APPROVED, by=instructor)
            one.decided_at = utcnow() - timedelta(days=days + 1)
            made.append(one)
        db.flush()
        reviews.revoke(made[-1].id, self.WHY)
        lines = queries.decided(db)
        assert len(lines) == queries.DECIDED_MOST
        assert [line.hand_in.id for line in lines[:2]] == [made[-1].id, made[0].id]
        assert lines[0].revoker == instructor.display_name
