"""The scorecard: what is computed, what is assessed, and that a month which is over stays as it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.content import Content
from portal.errors import Conflict, Invalid, NotFound
from portal.features.roadmap import Progress, ProgressService, TopicState
from portal.features.scorecard import service as scorecard_service
from portal.features.scorecard.criteria import Reached, judge
from portal.features.scorecard.measuring import Measured, measure
from portal.features.scorecard.radar import HEIGHT, RADIUS, WIDTH, draw
from portal.features.scorecard.service import ScorecardService
from portal.features.scorecard.weeks import Kept, kept_in_month, overview
from portal.models import CommitmentEntry, CriterionClaim, ScorecardMonth, User, WorkState
from roadmap import Commitment, Criterion, Dimension, Kind, Metric, Scorecard, Track
from tests.factories import activities, scorecards, submissions, users

WEDNESDAY = datetime(2026, 5, 20, 12, 0, tzinfo=UTC)
ONCE = Commitment("publish", "Publish", 1, "Say one thing.")
TWICE = Commitment("comment", "Comment", 2, "Add something.")
DEPTH = Dimension(
    "depth",
    "Depth",
    "How deep?",
    tuple("abcde"),
    (activities.MODULE,),
    (activities.NAME,),
    ("publish", "comment"),
)
SEEN = Dimension("seen", "Seen", "By whom?", tuple("abcde"), (), (), ("publish",))
OPEN = Dimension("open", "Open", "What?", tuple("abcde"), (), (), ())
CARD = Scorecard(6, (DEPTH, SEEN, OPEN), (ONCE, TWICE), (Metric("posts", "Posts"),))


@pytest.fixture
def user(db: Session) -> User:
    return users.user(db)


@pytest.fixture
def made(content: Content) -> Content:
    with_it = activities.content_with(content)
    return replace(with_it, roadmap=replace(with_it.roadmap, scorecard=CARD))


def card(db: Session, content: Content, user: User, now: datetime = WEDNESDAY) -> ScorecardService:
    return ScorecardService(db, content, user.id, now)


def progress(db: Session, content: Content, user: User) -> Progress:
    return ProgressService(db, content).of(user.id)


def months(
    db: Session, content: Content, user: User, now: datetime = WEDNESDAY
) -> list[scorecard_service.Month]:
    return card(db, content, user, now).look(progress(db, content, user)).months


class TestMeasuring:
    def test_each_part_weighs_the_same_and_what_is_not_there_weighs_nothing(self) -> None:
        assert Measured().share is None
        assert Measured(topics=10, proven=2, practised=4).share == pytest.approx(0.4)
        assert Measured(topics=10, proven=2, practised=4, activities=4, approved=4).share == pytest.approx(0.7)
        assert Measured(due=4, kept=1).share == pytest.approx(0.25)

    def test_what_was_stored_comes_back_whatever_else_is_there(self) -> None:
        one = Measured(topics=3, proven=1, due=2, kept=2)
        assert Measured.read({**one.stored(), "later": 5}) == one
        assert Measured.read(None) == Measured()

    def test_it_counts_the_evidence_of_the_dimension(self, db: Session, made: Content, user: User) -> None:
        activities.work(db, user, state=WorkState.APPROVED, done_at=WEDNESDAY, approved_at=WEDNESDAY)
        activities.work(db, users.user(db), state=WorkState.APPROVED, done_at=WEDNESDAY, approved_at=WEDNESDAY)
        weeks = overview([("publish", WEDNESDAY.date(), 1)], WEDNESDAY.date(), WEDNESDAY.date())
        found = measure(made.roadmap, progress(db, made, user), weeks, "2026-05")
        topics = made.roadmap.modules[activities.MODULE].topics
        assert found["depth"] == Measured(topics=len(topics), proven=2, activities=1, approved=1, due=3, kept=1)
        assert found["open"].share is None


class TestWeeks:
    TODAY = date(2026, 5, 20)
    SINCE = date(2026, 5, 6)

    def test_a_week_is_kept_partly_kept_or_not(self) -> None:
        days = [
            ("comment", date(2026, 5, 11), 1),
            ("comment", date(2026, 5, 17), 1),
            ("comment", date(2026, 5, 10), 1),
            ("publish", date(2026, 5, 18), 1),
        ]
        weeks = overview(days, self.TODAY, self.SINCE)
        assert [w.start for w in weeks[:3]] == [date(2026, 5, 18), date(2026, 5, 11), date(2026, 5, 4)]
        assert [w.kept(TWICE) for w in weeks[:4]] == [Kept.RUNNING, Kept.KEPT, Kept.PARTLY, Kept.BEFORE]
        assert [w.kept(ONCE) for w in weeks[:4]] == [Kept.KEPT, Kept.NOT, Kept.NOT, Kept.BEFORE]

    def test_the_running_week_counts_while_no_other_does(self) -> None:
        first = overview([("comment", self.TODAY, 1)], self.TODAY, self.TODAY)
        assert kept_in_month([ONCE, TWICE], first, "2026-05") == (1, 3)
        later = overview(
            [("comment", self.TODAY, 1), ("comment", date(2026, 5, 12), 2)], self.TODAY, self.SINCE
        )
        assert kept_in_month([ONCE, TWICE], later, "2026-05") == (2, 6), "the weeks from 4 and 11 May"
        assert kept_in_month([TWICE], overview([], self.TODAY, None), "2026-05") == (0, 0)

    def test_more_than_was_promised_counts_as_kept(self) -> None:
        week = overview([("comment", date(2026, 5, 12), 9)], self.TODAY, self.SINCE)[1]
        assert week.share(TWICE) == (2, 2)


class TestMonths:
    def test_the_first_look_stores_the_month(self, db: Session, made: Content, user: User) -> None:
        (month,) = months(db, made, user)
        assert (month.key, month.number, month.title) == ("2026-05", 1, "May 2026")
        stored = db.scalars(select(ScorecardMonth)).one()
        assert stored.computed["depth"]["activities"] == 1

    def test_the_month_follows_the_evidence_until_it_is_over(
        self, db: Session, made: Content, user: User
    ) -> None:
        months(db, made, user)
        work = activities.work(db, user, state=WorkState.APPROVED, done_at=WEDNESDAY, approved_at=WEDNESDAY)
        (may,) = months(db, made, user)
        assert may.measured["depth"].approved == 1
        db.delete(work)
        db.flush()
        later = WEDNESDAY + timedelta(days=40)
        may, june = months(db, made, user, later)
        assert (may.measured["depth"].approved, june.measured["depth"].approved) == (1, 0)
        assert (may.number, june.number) == (1, 2)

    def test_months_that_nobody_looked_at_are_left_out_and_counted(
        self, db: Session, made: Content, user: User
    ) -> None:
        months(db, made, user)
        found = months(db, made, user, datetime(2027, 1, 2, tzinfo=UTC))
        assert [(m.key, m.number) for m in found] == [("2026-05", 1), ("2027-01", 9)]

    def test_other_people_s_months_are_theirs(self, db: Session, made: Content, user: User) -> None:
        months(db, made, users.user(db), WEDNESDAY - timedelta(days=60))
        assert len(months(db, made, user)) == 1


class TestAssessing:
    def test_it_is_stored_and_can_be_changed_this_month(self, db: Session, made: Content, user: User) -> None:
        card(db, made, user).assess("2026-05", {"depth": "2", "seen": "", "nonsense": "5"})
        card(db, made, user).assess("2026-05", {"depth": "4", "seen": "1"})
        (month,) = months(db, made, user)
        assert month.assessed == {"depth": 4, "seen": 1}
        assert month.measured["depth"].topics > 0

    @pytest.mark.parametrize("level", ["0", "6", "three", "-1", "1.5", "²"])
    def test_another_level_is_refused(self, db: Session, made: Content, user: User, level: str) -> None:
        with pytest.raises(Invalid):
            card(db, made, user).assess("2026-05", {"depth": level})

    def test_nothing_chosen_is_refused(self, db: Session, made: Content, user: User) -> None:
        with pytest.raises(Invalid):
            card(db, made, user).assess("2026-05", {})

    def test_another_month_than_the_current_is_refused(self, db: Session, made: Content, user: User) -> None:
        with pytest.raises(Conflict):
            card(db, made, user).assess("2026-04", {"depth": "2"})
        with pytest.raises(Conflict):
            card(db, made, user).note_metrics("2026-06", {"posts": "2"})


class TestNumbers:
    def test_they_are_kept_by_month(self, db: Session, made: Content, user: User) -> None:
        card(db, made, user).note_metrics("2026-05", {"posts": " 3 "})
        june = WEDNESDAY + timedelta(days=30)
        card(db, made, user, june).note_metrics("2026-06", {"posts": ""})
        assert [m.metrics for m in months(db, made, user, june)] == [{"posts": 3}, {}]

    @pytest.mark.parametrize("given", ["-1", "1e3", "many", "1000001", "9" * 30, "٣"])
    def test_what_is_no_number_is_refused(self, db: Session, made: Content, user: User, given: str) -> None:
        with pytest.raises(Invalid, match="Posts"):
            card(db, made, user).note_metrics("2026-05", {"posts": given})


class TestLog:
    def test_an_entry_appears_in_its_week(self, db: Session, made: Content, user: User) -> None:
        card(db, made, user).log("publish", "2026-05-12", " On retries. ", "https://posts.example.org/1")
        card(db, made, users.user(db)).log("publish", "2026-05-05", "", "")
        weeks = card(db, made, user).look(progress(db, made, user)).weeks
        assert [w.kept(ONCE) for w in weeks[:3]] == [Kept.RUNNING, Kept.KEPT, Kept.BEFORE]
        assert (
            db.scalars(select(CommitmentEntry.note).where(CommitmentEntry.user_id == user.id)).one()
            == "On retries."
        )

    @pytest.mark.parametrize(
        ("commitment", "day", "note", "link"),
        [
            ("never", "2026-05-12", "", ""),
            ("publish", "yesterday", "", ""),
            ("publish", "2026-05-21", "", ""),
            ("publish", "2026-03-01", "", ""),
            ("publish", "2026-05-12", "a" * 501, ""),
            ("publish", "2026-05-12", "", "http://posts.example.org"),
        ],
    )
    def test_what_can_t_be_is_refused(
        self, db: Session, made: Content, user: User, commitment: str, day: str, note: str, link: str
    ) -> None:
        with pytest.raises(Invalid):
            card(db, made, user).log(commitment, day, note, link)

    def test_a_day_has_a_limit(
        self, db: Session, made: Content, user: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(scorecard_service, "ENTRIES_A_DAY", 1)
        card(db, made, user).log("publish", "2026-05-12", "", "")
        with pytest.raises(Conflict):
            card(db, made, user).log("publish", "2026-05-12", "", "")

    def test_only_one_s_own_entry_can_be_deleted(self, db: Session, made: Content, user: User) -> None:
        entry = card(db, made, user).log("publish", "2026-05-12", "", "")
        with pytest.raises(NotFound):
            card(db, made, users.user(db)).forget(entry.id)
        card(db, made, user).forget(entry.id)
        db.flush()
        with pytest.raises(NotFound):
            card(db, made, user).forget(entry.id)


class TestCriteria:
    WORD = Criterion("word", "You can say so", ())
    PROOF = Criterion(
        "proof",
        "You have shown it",
        (f"topic/{activities.TOPICS[0]}", f"activity/{activities.NAME}", "lab/never-oversell"),
    )
    TRACK = Track("t", "T", "A track.", (), (WORD, PROOF))

    def judged(self, db: Session, content: Content, user: User) -> dict[str, Reached]:
        said = scorecard_service.queries.claims(db, user.id)
        return {
            one.criterion.id: one.state for one in judge(self.TRACK, content, progress(db, content, user), said)
        }

    def test_evidence_decides_piece_by_piece(self, db: Session, made: Content, user: User) -> None:
        assert self.judged(db, made, user)["proof"] == Reached.OPEN
        activities.work(db, user, state=WorkState.APPROVED, done_at=WEDNESDAY, approved_at=WEDNESDAY)
        assert self.judged(db, made, user)["proof"] == Reached.PARTLY
        tasks = [task.id for task in made.labs.labs["never-oversell"].tasks]
        submissions.submission(db, user, results=dict.fromkeys(tasks[:-1], "passed"))
        one = judge(self.TRACK, made, progress(db, made, user), {})[1]
        assert [(piece.kind, piece.id) for piece in one.missing] == [("lab", "never-oversell")]
        assert one.at is None
        submissions.submission(db, user, results={tasks[-1]: "passed"})
        one = judge(self.TRACK, made, progress(db, made, user), {})[1]
        assert one.state == Reached.MET
        assert one.at is not None

    def test_a_topic_that_nothing_proves_is_reached_when_it_is_practised(
        self, db: Session, content: Content, user: User
    ) -> None:
        topic_id = next(
            id_ for id_, one in progress(db, content, user).topics.items() if one.best == TopicState.PRACTISED
        )
        now = progress(db, content, user)
        practised = replace(now.topics[topic_id], state=TopicState.PRACTISED, at=WEDNESDAY)
        track = replace(self.TRACK, criteria=(Criterion("c", "C", (f"topic/{topic_id}",)),))
        then = replace(now, topics={**now.topics, topic_id: practised})
        assert judge(track, content, now, {})[0].state == Reached.OPEN
        assert judge(track, content, now, {})[0].missing[0].ask == "practise the topic"
        assert judge(track, content, then, {})[0].state == Reached.MET

    def test_the_learner_s_word_has_a_date_and_can_be_taken_back(
        self, db: Session, content: Content, user: User
    ) -> None:
        said = card(db, content, user)
        said.say("ten-posts", reached=True)
        card(db, content, user, WEDNESDAY + timedelta(days=3)).say("ten-posts", reached=True)
        assert db.scalars(select(CriterionClaim)).one().created_at == WEDNESDAY
        said.say("ten-posts", reached=False)
        said.say("ten-posts", reached=False)
        db.flush()
        assert db.scalars(select(CriterionClaim)).all() == []

    def test_a_word_does_not_stand_for_evidence(self, db: Session, content: Content, user: User) -> None:
        with pytest.raises(Invalid):
            card(db, content, user).say("services-in-go", reached=True)
        with pytest.raises(NotFound):
            card(db, content, user).say("never", reached=True)


class TestRadar:
    TITLES = (
        "End-to-end ownership",
        "Technical depth",
        "Business thinking",
        "Real-world credibility",
        "Networking and visibility",
        "Interview readiness",
    )

    def test_levels_stand_on_their_axes(self) -> None:
        chart = draw(self.TITLES, [5.0, 0.0, 2.5, 5.0, 5.0, 5.0], [None] * 6)
        top, middle = chart.computed_points[0], chart.computed_points[1]
        assert (top.x, top.y) == (WIDTH / 2, HEIGHT / 2 - RADIUS)
        assert (middle.x, middle.y) == (WIDTH / 2, HEIGHT / 2)
        assert chart.assessed == ""

    def test_a_side_without_a_value_leaves_points_and_no_polygon(self) -> None:
        chart = draw(self.TITLES, [1.0] * 5 + [None], [3.0] * 6)
        assert (chart.computed, len(chart.computed_points)) == ("", 5)
        assert len(chart.assessed.split()) == 6

    def test_words_stay_in_the_picture(self) -> None:
        for label in draw(self.TITLES, [0.0] * 6, [1] * 6).labels:
            width = max(len(line) for line in label.lines) * 7.4
            left = {"start": label.x, "middle": label.x - width / 2, "end": label.x - width}[label.anchor]
            assert left >= 0
            assert left + width <= WIDTH
            assert 10 <= label.y <= HEIGHT
            assert label.y + 14 * (len(label.lines) - 1) <= HEIGHT


class TestRenaming:
    """What was stored under a former id stands under the one of today."""

    @pytest.fixture
    def renamed(self, made: Content) -> Content:
        track = made.roadmap.tracks["solution-architect"]
        told = Criterion("told-it", "You told it to somebody", ())
        with_it = replace(track, criteria=(told, *track.criteria))
        replaced = {
            Kind.DIMENSION: {"knowing": "depth"},
            Kind.COMMITMENT: {"write": "publish"},
            Kind.METRIC: {"articles": "posts"},
            Kind.CRITERION: {"told-them": "told-it"},
        }
        return replace(
            made,
            roadmap=replace(
                made.roadmap,
                tracks={**made.roadmap.tracks, track.id: with_it},
                replaced={**made.roadmap.replaced, **replaced},
            ),
        )

    def test_months_that_are_over_keep_their_figures(self, db: Session, renamed: Content, user: User) -> None:
        month = ScorecardMonth(
            user_id=user.id,
            month="2026-04",
            computed={"knowing": {"topics": 4, "proven": 2}, "gone": {"topics": 1}},
            assessed={"knowing": 3},
            metrics={"articles": 7},
            created_at=WEDNESDAY - timedelta(days=30),
        )
        db.add(month)
        db.flush()
        april = months(db, renamed, user)[0]
        assert april.measured == {"depth": Measured(topics=4, proven=2)}
        assert (april.assessed, april.metrics) == ({"depth": 3}, {"posts": 7})

    def test_of_two_that_became_one_the_figure_under_the_id_of_today_counts(
        self, db: Session, renamed: Content, user: User
    ) -> None:
        for order in ({"knowing": 2, "depth": 5}, {"depth": 5, "knowing": 2}):
            assert card(db, renamed, user)._by_current_id(Kind.DIMENSION, order) == {"depth": 5}

    def test_entries_of_the_log_count_for_the_commitment_of_today(
        self, db: Session, renamed: Content, user: User
    ) -> None:
        scorecards.entry(db, user, "write").day = WEDNESDAY.date()
        card(db, renamed, user).log("write", WEDNESDAY.date().isoformat(), "", "")
        db.flush()
        (week, *_) = card(db, renamed, user).look(progress(db, renamed, user)).weeks
        assert week.counts == {"publish": 2}

    def test_a_word_that_was_given_under_a_former_id_stands_and_can_be_taken_back(
        self, db: Session, renamed: Content, user: User
    ) -> None:
        db.add(CriterionClaim(user_id=user.id, criterion_id="told-them", created_at=WEDNESDAY))
        db.flush()
        service = card(db, renamed, user)
        assert service.said() == {"told-it": WEDNESDAY}
        service.say("told-it", reached=True)
        assert service.said() == {"told-it": WEDNESDAY}
        service.say("told-them", reached=False)
        assert service.said() == {}
        service.say("told-them", reached=True)
        assert db.scalars(select(CriterionClaim.criterion_id)).all() == ["told-it"]
