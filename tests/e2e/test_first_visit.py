"""A learner's first visit in a browser: choose a track, plan it, read a lesson, answer its questions, see the topic move."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, tzinfo

import pytest
from playwright.sync_api import Page, expect

from portal.content import Content
from portal.models import User
from portal.settings import Settings
from question_bank import Question
from roadmap import Lesson
from tests.e2e.served import served
from tests.factories import users
from tests.fixtures.portal import NotedJobs

pytestmark = [pytest.mark.browser, pytest.mark.timeout(2400)]
expect.set_options(timeout=60_000)

TRACK = "solution-architect"


@pytest.fixture(autouse=True)
def midday(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was noon when the test began: no day, and no week, ends while it runs."""
    began = datetime.now().astimezone()
    shift = began.replace(hour=12, minute=0, second=0) - began

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + shift

    monkeypatch.setattr("portal.models.base.datetime", Shifted)


@pytest.fixture
def asked(content: Content) -> Content:
    """The product's content, with three questions that can be clicked, on one topic, under the first lesson of the track."""
    catalogue = content.roadmap
    modules = (catalogue.modules[name] for name in catalogue.tracks[TRACK].modules)
    lesson = catalogue.lessons[next(module for module in modules if not module.prerequisites).lessons[0]]
    by_topic = {
        topic: [
            question.id
            for question in content.questions_by_topic.get(topic, ())
            if question.kind == "single" and question.present(0).prompt == question.present(1).prompt
        ]
        for topic in lesson.topics
    }
    chosen = max(by_topic.values(), key=len)[:3]
    assert len(chosen) > 1
    lessons = {**catalogue.lessons, lesson.id: replace(lesson, quick=tuple(chosen))}
    return replace(content, roadmap=replace(catalogue, lessons=lessons))


@pytest.fixture
def site(settings: Settings, asked: Content, jobs: NotedJobs) -> Iterator[str]:
    """A portal with that content; its address."""
    with served(settings, asked, jobs) as address:
        yield address


def answer(page: Page, content: Content, lesson: Lesson) -> str:
    """Choose the right option of the question that is on the page, and submit; the question's id."""
    expect(page.locator("[data-practice=open][data-ready]")).to_be_attached()
    shown = page.locator("fieldset.question .options input").evaluate_all("all => all.map(one => one.value)")
    prompt = page.locator("fieldset.question").inner_text()
    found = [content.bank.questions[name] for name in lesson.quick]
    question = next(q for q in found if {option.key for option in q.options} == set(shown) and _is(q, prompt))
    key = next(option.key for option in question.options if option.right)
    page.locator("fieldset.question .option").nth(shown.index(key)).click()
    expect(page.locator(f"fieldset.question .options input[value='{key}']")).to_be_checked()
    page.get_by_role("button", name="Submit").click()
    expect(page.locator("[data-practice=answered][data-ready]")).to_be_attached()
    return question.id


def _is(question: Question, shown: str) -> bool:
    """Whether the words of its prompt stand in what is shown."""
    words = re.findall(r"[a-z]{4,}", question.present(0).prompt.lower())
    seen = set(re.findall(r"[a-z]{4,}", shown.lower()))
    return sum(word in seen for word in words) > 0.9 * len(words)


def test_from_the_first_visit_to_a_topic_that_is_practised(
    page: Page, site: str, asked: Content, learner_user: User
) -> None:
    catalogue = asked.roadmap
    track = catalogue.tracks[TRACK]
    page.goto(f"{site}/account/sign-in")
    page.get_by_label("E-mail").fill(learner_user.email)
    page.get_by_label("Password").fill(users.PASSWORD)
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("Welcome, ")
    page.get_by_role("link", name=track.title).click()
    page.get_by_role("button", name="Make the plan").click()

    expect(page.get_by_role("heading", level=1)).to_have_text(track.title)
    expect(page.locator("main")).to_contain_text("As planned.")
    page.locator(".week-items a").first.click()
    expect(page).to_have_url(re.compile("/lessons/"))
    lesson = catalogue.lessons[page.url.split("#")[0].rpartition("/")[2]]
    assert lesson.quick

    page.get_by_role("button", name="Mark as read").click()
    # What stays, not the passing message: the request that tells the reading position may have taken that.
    expect(page.get_by_role("button", name="Mark as read")).to_have_count(0)
    page.get_by_role("button", name="Answer them").click()
    answered = []
    for number in range(1, len(lesson.quick) + 1):
        expect(page.locator("fieldset.question")).to_contain_text(f"Question {number} of {len(lesson.quick)}")
        answered.append(answer(page, asked, lesson))
        page.locator("#next").click()
    expect(page).to_have_url(re.compile("/result$"))
    assert set(answered) == set(lesson.quick)

    topics = [asked.bank.questions[name].topics for name in lesson.quick]
    topic = next(name for name in lesson.topics if all(name in each for each in topics))
    page.goto(f"{site}/roadmap/modules/{catalogue.topics[topic].module}")
    expect(page.locator(f"#topic-{topic}")).to_contain_text("Practised")

    page.goto(f"{site}/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Welcome")
    expect(page.locator(".days .is-active")).to_have_count(1)
    page.goto(f"{site}/plan/")
    expect(page.locator("main")).to_contain_text(lesson.title)
    violations = [line for line in page.console_lines if "Content Security Policy" in line]  # type: ignore[attr-defined]
    assert violations == []
