"""What made-up learners did, as rows of tables: just what the product would have written when they did it.

Cards and sums follow from the answers by the product's own functions; `portal.features.practice.rebuild` gives the same.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from random import Random
from typing import Any

from bench.pages.answers import PASS_DAYS, SECONDS, Asked, blocks_of, memory_after, rating_of
from portal.content import Content
from portal.models import CountOf
from question_bank import statistics

DAY = 86_400
SPAN_DAYS = 420
"""How long ago the first answers were given."""
BLOCK = 10
"""Questions in a session or a quiz."""

Rows = dict[str, list[tuple[Any, ...]]]
"""Table → its rows, their values in the order of COLUMNS."""

COLUMNS: dict[str, tuple[str, ...]] = {
    "users": ("id", "email", "display_name", "password_hash", "role", "active", "session_epoch", "created_at"),
    "practice_sessions": ("id", "user_id", "source", "source_id", "created_at", "finished_at"),
    "practice_answers": (
        "session_id", "position", "question_id", "content_hash", "seed", "variant", "shown_at", "given", "given_at",
        "seconds", "fraction", "correct", "rating",
    ),
    "quiz_attempts": ("id", "user_id", "module_id", "seed", "created_at", "finished_at", "score"),
    "quiz_answers": (
        "attempt_id", "question_id", "position", "content_hash", "given", "fraction", "correct",
    ),
    "review_cards": (
        "user_id", "question_id", "state", "step", "stability", "difficulty", "due", "last_review", "reviews",
        "lapses", "last_fraction", "content_hash", "first_fraction", "first_right_at", "right_again_at",
        "created_at",
    ),
    "lesson_reads": ("user_id", "lesson_id", "content_hash", "created_at"),
    "submissions": (
        "id", "user_id", "lab_id", "kind", "state", "seed", "notebook_sha256", "content_hash", "runs", "created_at",
        "started_at", "finished_at", "score", "max_score", "notebook_status", "notebook_message", "error",
    ),
    "task_results": ("submission_id", "task_id", "position", "points", "earned", "status", "message"),
    "lab_sessions": (
        "user_id", "lab_id", "state", "phase", "detail", "log", "driver", "sandbox_id", "access_token", "services",
        "requested_at", "admitted_at", "ready_at", "expires_at", "ended_at", "extensions", "end_reason",
    ),
    "question_notes": ("user_id", "question_id", "bookmarked", "text", "updated_at"),
    "question_reports": (
        "user_id", "question_id", "content_hash", "seed", "reason", "text", "created_at", "closed_at", "resolution",
    ),
    "item_tallies": ("question_id", "content_hash", "variant", *statistics.Tally.__slots__),
    "item_counts": ("question_id", "content_hash", "variant", "what", "key", "count", "rested", "rest"),
}  # fmt: skip
"""The columns that are filled, in an order in which foreign keys hold."""


@cache
def _day(day: int) -> str:
    return time.strftime("%Y-%m-%d ", time.gmtime(day * DAY))


@cache
def _clock(second: int) -> str:
    return time.strftime("%H:%M:%S.000000", time.gmtime(second))


def stamp(at: int) -> str:
    """Seconds since 1970 as both databases take a time."""
    return _day(at // DAY) + _clock(at % DAY)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


@dataclass(frozen=True)
class Habits:
    """How much one learner did."""

    answers: int
    passes: int
    """How often each question is asked."""
    lessons: int
    submissions: int


@dataclass
class Sums:
    """The item statistics, as `portal.features.practice.recording.Sums` has them, in plain lists for speed."""

    tallies: dict[int, list[float]] = field(default_factory=lambda: defaultdict(lambda: [0] * 10))
    counts: dict[tuple[int, str, str], list[float]] = field(
        default_factory=lambda: defaultdict(lambda: [0, 0, 0.0])
    )


class Historian:
    """Makes up the histories of learners, one after another."""

    def __init__(self, content: Content, asked: Sequence[Asked], now: int, first_ids: dict[str, int]) -> None:
        self._content = content
        self._asked = asked
        self._place = {one.question.id: place for place, one in enumerate(asked)}
        self._now = now
        self._next = dict(first_ids)
        self._lessons = list(content.roadmap.lessons.values())
        self._labs = list(content.labs.labs.values())
        self.sums = Sums()
        self.answers = 0
        """How many attempts were made up: graded answers and submissions."""
        self.rows: Rows = {name: [] for name in COLUMNS}

    def learner(self, user_id: int, habits: Habits, random: Random) -> None:
        """Add what one learner did."""
        self._practise(user_id, habits, random)
        for lesson in self._some(self._lessons, habits.lessons, random):
            at = self._now - random.randrange(DAY, SPAN_DAYS * DAY)
            self.rows["lesson_reads"].append((user_id, lesson.id, lesson.content_hash, stamp(at)))
        for number in range(habits.submissions):
            self._submit(user_id, number, random)
        for one in self._some(self._asked, min(60, max(1, habits.answers // 40)), random):
            self.rows["question_notes"].append(
                (user_id, one.question.id, True, "", stamp(self._now - random.randrange(SPAN_DAYS * DAY)))
            )

    def report(self, user_id: int, random: Random) -> None:
        """A report of this learner; of five, four are closed."""
        question, at = random.choice(self._asked).question, self._now - random.randrange(5 * DAY, 90 * DAY)
        closed = stamp(at + DAY) if random.random() < 0.8 else None
        self.rows["question_reports"].append(
            (user_id, question.id, question.content_hash, 1, "unclear", "Two options can be read as right.", stamp(at),
             closed, "Reworded." if closed else "")
        )  # fmt: skip

    def take(self) -> Rows:
        """The rows since the last time."""
        taken, self.rows = self.rows, {name: [] for name in COLUMNS}
        return taken

    def take_sums(self) -> Rows:
        """The rows of the item statistics, after all learners."""
        rows: Rows = {"item_tallies": [], "item_counts": []}
        for place, values in self.sums.tallies.items():
            question = self._asked[place].question
            rows["item_tallies"].append((question.id, question.content_hash, "", *values))
        for (place, what, key), values in self.sums.counts.items():
            question = self._asked[place].question
            rows["item_counts"].append((question.id, question.content_hash, "", what, key, *values))
        return rows

    def _id(self, table: str) -> int:
        self._next[table] += 1
        return self._next[table] - 1

    @staticmethod
    def _some(things: Sequence[Any], count: int, random: Random) -> list[Any]:
        """So many in a row, from anywhere."""
        start = random.randrange(len(things))
        return [things[(start + number) % len(things)] for number in range(min(count, len(things)))]

    def _practise(self, user_id: int, habits: Habits, random: Random) -> None:
        blocks = blocks_of(
            self._asked, random.randrange(len(self._asked)), habits.answers, habits.passes, BLOCK
        )
        ability = random.uniform(-0.25, 0.25)
        longest = PASS_DAYS[habits.passes - 1]
        room = max(1, SPAN_DAYS - longest - 2)
        # Whoever began lately has not come through all: the last blocks would lie in the future otherwise.
        start = self._now - (SPAN_DAYS - random.randrange(room // 2 + 1)) * DAY
        step = max(3_600, int((self._now - start - (longest + 1) * DAY) / max(1, len(blocks))))
        shown = total = 0.0
        for number, (block, passes) in enumerate(blocks):
            first = start + number * step
            given: list[list[tuple[Any, float | None]]] = []
            for turn in range(passes):
                quiz = turn == 0 and number % 3 == 0
                at = first + PASS_DAYS[turn] * DAY
                given.append(
                    [
                        (one.answer(random, ability + 0.12 * turn), None if quiz else random.choice(SECONDS))
                        for one in block
                    ]
                )
                (self._quiz if quiz else self._session)(user_id, block, given[-1], at, random)
            for place, one in enumerate(block):
                rest = total / shown if shown >= statistics.REST_QUESTIONS else None
                self._count(one, given[0][place], rest, passes)
                shown, total = shown + 1, total + given[0][place][0].fraction
                self._card(user_id, one, [turn[place] for turn in given], first, place)

    def _when(self, at: int, place: int, seconds: float | None) -> int:
        """When an answer was handed in: a quiz all at once, a session one after another, every three minutes."""
        return at if seconds is None else at + place * 180 + int(max(SECONDS))

    def _session(
        self, user_id: int, block: Sequence[Asked], given: Sequence[Any], at: int, random: Random
    ) -> None:
        session = self._id("practice_sessions")
        times = [self._when(at, place, seconds) for place, (_outcome, seconds) in enumerate(given)]
        self.rows["practice_sessions"].append(
            (session, user_id, "module", block[0].question.module, stamp(at), stamp(times[-1]))
        )
        add = self.rows["practice_answers"].append
        for place, (one, (outcome, seconds)) in enumerate(zip(block, given, strict=True)):
            question, done = one.question, times[place]
            rating = int(rating_of(outcome.fraction, seconds, question.seconds))
            add((session, place + 1, question.id, question.content_hash, place, "", stamp(done - int(seconds)),
                 outcome.given, stamp(done), seconds, outcome.fraction, outcome.correct, rating))  # fmt: skip
        self.answers += len(block)

    def _quiz(
        self, user_id: int, block: Sequence[Asked], given: Sequence[Any], at: int, random: Random
    ) -> None:
        attempt = self._id("quiz_attempts")
        score = sum(outcome.fraction for outcome, _seconds in given) / len(given)
        self.rows["quiz_attempts"].append(
            (
                attempt,
                user_id,
                block[0].question.module,
                random.randrange(2**31),
                stamp(at - 600),
                stamp(at),
                score,
            )
        )
        add = self.rows["quiz_answers"].append
        for place, (one, (outcome, _seconds)) in enumerate(zip(block, given, strict=True)):
            add((attempt, one.question.id, place + 1, one.question.content_hash, outcome.given, outcome.fraction,
                 outcome.correct))  # fmt: skip
        self.answers += len(block)

    def _count(self, one: Asked, given: Any, rest: float | None, passes: int) -> None:
        """What `statistics.tally` says of the first answer, and of those after it."""
        outcome, seconds = given
        place = self._place[one.question.id]
        sums = self.sums.tallies[place]
        fraction = outcome.fraction
        sums[0] += passes
        sums[1] += 1
        sums[2] += int(fraction >= 1.0)
        sums[3] += fraction
        if rest is not None:
            more = (1, fraction, rest, fraction * fraction, rest * rest, fraction * rest)
            for slot, value in enumerate(more, 4):
                sums[slot] += value
        names = [(str(CountOf.OPTION), key) for key in outcome.keys]
        if seconds is not None:
            names.append((str(CountOf.SECONDS), str(statistics.bucket_of(seconds))))
        for what, key in names:
            count = self.sums.counts[place, what, key]
            count[0] += 1
            count[1] += int(rest is not None)
            count[2] += rest or 0.0

    def _card(self, user_id: int, one: Asked, turns: Sequence[Any], first: int, place: int) -> None:
        question = one.question
        ratings = tuple(rating_of(outcome.fraction, seconds, question.seconds) for outcome, seconds in turns)
        times = [
            self._when(first + PASS_DAYS[turn] * DAY, place, seconds)
            for turn, (_o, seconds) in enumerate(turns)
        ]
        # The scheduler counts whole days, so a minute more or less on a day changes nothing but the date itself.
        memory = memory_after(ratings, datetime.fromtimestamp(0, UTC))
        due = times[-1] + int((memory.due - memory.last_review).total_seconds())
        right = [at for at, (outcome, _s) in zip(times, turns, strict=True) if outcome.correct]
        again = next((at for at in right if at // DAY > right[0] // DAY), None)
        self.rows["review_cards"].append(
            (user_id, question.id, int(memory.state), memory.step, memory.stability, memory.difficulty, stamp(due),
             stamp(times[-1]), len(turns), sum(int(rating) == 1 for rating in ratings), turns[-1][0].fraction,
             question.content_hash, turns[0][0].fraction, stamp(right[0]) if right else None,
             None if again is None else stamp(again), stamp(times[0]))
        )  # fmt: skip

    def _submit(self, user_id: int, number: int, random: Random) -> None:
        lab = self._labs[(user_id + number) % len(self._labs)]
        submission = self._id("submissions")
        at = self._now - (SPAN_DAYS - number % SPAN_DAYS) * DAY + random.randrange(DAY)
        passed = [random.random() < 0.6 for _task in lab.tasks]
        earned = [task.points if right else 0 for task, right in zip(lab.tasks, passed, strict=True)]
        self.rows["submissions"].append(
            (submission, user_id, lab.id, "submit" if number % 2 else "check", "graded", 7, "0" * 64,
             lab.content_hash, 1, stamp(at), stamp(at + 1), stamp(at + 4), sum(earned),
             sum(task.points for task in lab.tasks), "graded", "", "")
        )  # fmt: skip
        for position, (task, points) in enumerate(zip(lab.tasks, earned, strict=True), 1):
            status, said = (
                ("passed", "") if points else ("failed", "The sum of the stock is 3, 5 were expected.")
            )
            self.rows["task_results"].append((submission, task.id, position, task.points, points, status, said))
        self.rows["lab_sessions"].append(
            (user_id, lab.id, "stopped", "", "", "", "docker", f"s{submission:011d}", f"{submission:064d}", "[]",
             stamp(at - 3_600), stamp(at - 3_600), stamp(at - 3_590), stamp(at + 9_000), stamp(at + 60), 0, "learner")
        )  # fmt: skip
        self.answers += 1
