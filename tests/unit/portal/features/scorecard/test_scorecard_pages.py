"""The pages of the scorecard."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from freezegun import freeze_time
from sqlalchemy.orm import Session

from portal.models import User, utcnow
from tests.factories import scorecards
from tests.fixtures.portal import Client


@pytest.fixture(autouse=True)
def month() -> Iterator[str]:
    """The month of today, which does not end during a test, nor between its collection and its run."""
    with freeze_time(utcnow()):
        yield f"{utcnow():%Y-%m}"


def test_the_first_look_shows_an_assessment_to_make(learner: Client) -> None:
    page = learner.get("/scorecard").text
    assert "Month 1 of 6" in page
    assert "not assessed" in page
    assert 'role="img" aria-label="' in page
    assert page.count("<fieldset>") == 6
    assert "radar-assessed" in page, "the key tells both lines apart"
    assert "Month by month" not in page


def test_an_assessment_is_drawn_and_written(learner: Client, month: str) -> None:
    levels = {
        f"level-{name}": "4"
        for name in (
            "end-to-end-ownership",
            "technical-depth",
            "business-thinking",
            "real-world-credibility",
            "networking-and-visibility",
            "interview-readiness",
        )
    }
    assert learner.post("/scorecard/assess", {"month": month, **levels}).status_code == 302
    page = learner.get("/scorecard").text
    assert '<polygon class="radar-assessed"' in page
    assert page.count("4 of 5") >= 6
    assert "You choose between storage, messaging and consistency models by arithmetic" in page


def test_an_assessment_that_is_refused_keeps_what_was_chosen(learner: Client) -> None:
    answer = learner.post("/scorecard/assess", {"month": "2020-01", "level-technical-depth": "3"})
    assert answer.status_code == 409
    assert "A new month has begun" in answer.text
    assert 'name="level-technical-depth" value="3" checked' in answer.text


def test_earlier_months_stand_beside_as_charts_and_as_a_table(
    learner: Client, learner_user: User, db: Session
) -> None:
    scorecards.month(db, learner_user, months=1)
    scorecards.month(db, learner_user, months=2)
    db.commit()
    page = learner.get("/scorecard").text
    assert "Month by month" in page
    assert page.count('class="radar is-small"') == 2
    assert "20 %" in page
    assert "you: 2" in page


def test_criteria_tell_evidence_from_one_s_own_word(learner: Client) -> None:
    page = learner.get("/scorecard/criteria").text
    assert "0 of 13" in page
    assert "Prove the topic" in page or "Practise the topic" in page
    learner.post("/scorecard/criteria/ten-posts", {"reached": "yes"})
    page = learner.get("/scorecard/criteria").text
    assert "By your own word" in page
    assert "1 of 13" in page
    learner.post("/scorecard/criteria/ten-posts", {"reached": "no"})
    assert "0 of 13" in learner.get("/scorecard/criteria").text
    assert learner.post("/scorecard/criteria/services-in-go", {"reached": "yes"}).status_code == 302
    assert "reached by evidence" in learner.get("/scorecard/criteria").text


def test_the_log_of_commitments(learner: Client) -> None:
    assert "Nothing noted yet" in learner.get("/scorecard/commitments").text
    entry = {"commitment": "comment-on-posts", "day": f"{utcnow():%Y-%m-%d}", "note": "<b>On retries</b>"}
    assert learner.post("/scorecard/commitments/entries", entry).status_code == 302
    page = learner.get("/scorecard/commitments").text
    assert "1 of 3 so far" in page
    assert "&lt;b&gt;On retries&lt;/b&gt;" in page
    refused = learner.post("/scorecard/commitments/entries", {**entry, "link": "ftp://example.org"})
    assert refused.status_code == 422
    assert "A link begins with https://" in refused.text
    assert "ftp://example.org" in refused.text


def test_numbers_of_the_month(learner: Client, learner_user: User, db: Session, month: str) -> None:
    scorecards.month(db, learner_user, months=1)
    db.commit()
    learner.post("/scorecard/metrics", {"month": month, "metric-posts-published": "17"})
    page = learner.get("/scorecard/commitments").text
    assert 'value="17"' in page
    assert '<td class="num">3</td>' in page
    refused = learner.post("/scorecard/metrics", {"month": month, "metric-posts-published": "many"})
    assert refused.status_code == 422
    assert "takes a whole number" in refused.text
