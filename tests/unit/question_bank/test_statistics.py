"""What answers say about a question."""

from __future__ import annotations

from statistics import correlation, median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from question_bank import statistics as stats
from question_bank.statistics import Answered, Flag, OptionCount, Tally, tally

FRACTIONS = st.sampled_from([0.0, 0.25, 0.5, 1.0])
RESTS = st.none() | st.floats(0, 1)


def summed(pairs: list[tuple[float, float | None]]) -> Tally:
    return sum((tally(x, y, counted=True) for x, y in pairs), Tally())


def test_facility_is_the_mean_of_first_answers() -> None:
    sums = summed([(1.0, None), (0.0, None), (0.5, None), (0.0, None)]) + tally(1.0, None, counted=False)
    assert (sums.answers, sums.counted, sums.correct) == (5, 4, 1)
    assert sums.facility == pytest.approx(0.375)


@given(st.lists(st.tuples(FRACTIONS, st.floats(0, 1)), min_size=3, max_size=40))
def test_discrimination_is_the_correlation_of_item_and_rest(pairs: list[tuple[float, float]]) -> None:
    xs, ys = zip(*pairs, strict=True)
    found = summed(list(pairs)).discrimination
    spread = min(max(xs) - min(xs), max(ys) - min(ys))
    if spread > 1e-3:
        assert found == pytest.approx(correlation(xs, ys), abs=1e-4)
    elif spread == 0:
        assert found is None


@given(st.lists(st.tuples(FRACTIONS, RESTS, st.booleans()), max_size=30), st.integers(0, 30))
def test_sums_can_be_kept_apart_and_added(answers: list[tuple[float, float | None, bool]], cut: int) -> None:
    each = [tally(x, y, counted=counted) for x, y, counted in answers]
    whole = sum(each, Tally())
    apart = sum(each[:cut], Tally()) + sum(each[cut:], Tally())
    for name in Tally.__slots__:
        assert getattr(apart, name) == pytest.approx(getattr(whole, name))


def test_without_spread_or_answers_there_is_no_figure() -> None:
    assert Tally().facility is None
    assert summed([(1.0, 0.2), (0.0, 0.4)]).discrimination is None  # two are too few
    assert summed([(1.0, 0.2), (1.0, 0.4), (1.0, 0.9)]).discrimination is None
    assert summed([(1.0, 0.7), (0.0, 0.7), (1.0, 0.7)]).discrimination is None


def test_a_figure_says_how_many_answers_it_lacks() -> None:
    sums = summed([(1.0, 0.5)] * 20 + [(0.0, None)] * 4)
    assert sums.facility_missing == stats.TRUSTWORTHY - 24
    assert sums.discrimination_missing == stats.TRUSTWORTHY_PAIRS - 20
    assert summed([(1.0, 0.5)] * 100).facility_missing == 0


def learners(right_if: float, *, upside_down: bool = False, count: int = 100) -> Tally:
    """Learners of rising skill; those above a share of them get it right."""
    rests = [n / count for n in range(count)]
    return summed([(float((rest > right_if) != upside_down), rest) for rest in rests])


def test_flags() -> None:
    assert stats.flags(learners(0.5), 0.25) == ()
    assert Flag.TOO_EASY in stats.flags(learners(0.02), 0.25)
    assert Flag.TOO_HARD in stats.flags(learners(0.8), 0.25)
    assert stats.flags(learners(0.5, upside_down=True), 0.25) == (Flag.NEGATIVE,)


def test_what_is_guessable_can_be_guessed() -> None:
    flat = summed([(1.0, 0.2), (1.0, 0.8), (0.0, 0.2), (0.0, 0.8), (1.0, 0.2), (1.0, 0.8)] * 20)
    assert flat.discrimination == pytest.approx(0.0)
    assert stats.flags(flat, 0.25) == (Flag.GUESSABLE,)
    assert stats.flags(flat, 0.0) == ()  # a typed number is not guessed


def test_nothing_is_flagged_on_too_few_answers() -> None:
    assert stats.flags(learners(0.99, count=29), 0.25) == ()
    assert Flag.NEGATIVE not in stats.flags(learners(0.5, upside_down=True, count=59), 0.25)
    assert Flag.NEGATIVE in stats.flags(learners(0.5, upside_down=True, count=60), 0.25)


def test_a_hard_question_is_no_better_than_guessing() -> None:
    assert Flag.TOO_HARD in stats.flags(learners(0.55), 0.5)
    assert Flag.TOO_HARD not in stats.flags(learners(0.55), 0.25)


@given(st.lists(st.floats(1, 3600), min_size=1, max_size=50))
def test_the_median_is_right_within_a_bucket(times: list[float]) -> None:
    counts: dict[int, int] = {}
    for seconds in times:
        bucket = stats.bucket_of(seconds)
        counts[bucket] = counts.get(bucket, 0) + 1
    found = stats.median_seconds(counts)
    assert found is not None
    below = sorted(times)[(len(times) - 1) // 2]
    assert below / stats.BUCKET_RATIO <= found <= below * stats.BUCKET_RATIO
    if len(times) % 2:
        assert below == median(times)


def test_without_times_there_is_no_median() -> None:
    assert stats.median_seconds({}) is None


def test_times_beyond_an_hour_or_below_a_second_are_bounded() -> None:
    assert stats.bucket_of(0.0) == stats.bucket_of(1.0) == 0
    assert stats.bucket_of(1e9) == stats.bucket_of(3600)


@pytest.mark.parametrize(
    ("kind", "options", "right", "expected"),
    [
        ("single", 4, 1, 0.25),
        ("true-false", 2, 1, 0.5),
        ("numeric", 0, 0, 0.0),
        ("multiple", 2, 1, 0.25),  # only the right one alone scores
        ("multiple", 4, 2, (2 * 0.5 + 1.0 + 2 * 0.5) / 16),
    ],
)
def test_chance(kind: str, options: int, right: int, expected: float) -> None:
    assert stats.chance(kind, options, right) == pytest.approx(expected)


def test_options_that_never_work() -> None:
    assert OptionCount("a", chosen=0).never_works(30)
    assert not OptionCount("a", chosen=0).never_works(29)
    assert not OptionCount("a", chosen=1).never_works(30)
    assert OptionCount("a", chosen=3, rested=2, rest=1.5).mean_rest == 0.75
    assert OptionCount("a").mean_rest is None


def test_a_report_counts_a_learner_once_and_leaves_the_item_out_of_the_rest() -> None:
    answers = [
        Answered("ada", f"q{n}", fraction, seconds=30.0) for n, fraction in enumerate([1, 1, 0, 1, 0])
    ] + [
        Answered("ada", "target", 1.0, chosen=("right",), seconds=20.0),
        Answered("ada", "target", 0.0, chosen=("wrong",), seconds=2.0),
        Answered("grace", "target", 0.0, chosen=("wrong",)),
    ]
    found = stats.report(answers)["target"]
    assert (found.tally.answers, found.tally.counted, found.tally.pairs) == (3, 2, 1)
    assert found.tally.py == pytest.approx(0.6)
    assert found.options["right"].mean_rest == pytest.approx(0.6)
    assert found.options["wrong"].chosen == 1
    assert found.options["wrong"].mean_rest is None  # grace had answered nothing else
    assert sum(found.times.values()) == 1


def test_the_rest_leaves_the_question_itself_out() -> None:
    known = {"target": 1.0, "a": 0.0, "b": 0.0, "c": 0.0, "d": 0.0}
    assert stats.rest_of(known, "target") is None  # four others are too few
    assert stats.rest_of({**known, "e": 0.5}, "target") == pytest.approx(0.1)
    assert stats.rest_of(known, "never met") == pytest.approx(0.2)
