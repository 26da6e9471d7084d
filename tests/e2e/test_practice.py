"""Practice by keyboard alone, and what instructors see of it, in a browser, served by one thread."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.content import Content
from portal.models import PracticeAnswer, QuestionNote, QuestionReport, Role, User
from portal.settings import Settings
from tests.e2e.served import served, sign_in
from tests.factories import users
from tests.fixtures import questions
from tests.fixtures.portal import NotedJobs

pytestmark = [pytest.mark.browser, pytest.mark.timeout(2400)]
expect.set_options(timeout=60_000)


@pytest.fixture
def asked() -> tuple[str, ...]:
    """The kinds of question that the bank has."""
    return ("single", "multiple", "true-false", "short", "open")


@pytest.fixture
def site(settings: Settings, content: Content, jobs: NotedJobs, asked: tuple[str, ...]) -> Iterator[str]:
    """A portal with a bank of these kinds; its address."""
    bank = questions.content_of(content, *(questions.question(kind) for kind in asked))
    with served(settings, bank, jobs) as address:
        yield address


def tab_to(page: Page, selector: str) -> None:
    """Reach an element by Tab alone."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"Tab never came to {selector}")


def test_a_learner_practises_with_the_keyboard_alone(
    page: Page, site: str, db: Session, learner_user: User
) -> None:
    sign_in(page, site, learner_user)
    page.goto(f"{site}/practice/")
    tab_to(page, "form:has(#choose-module) button[type=submit]")
    page.keyboard.press("Enter")

    answered: list[str] = []
    for number in range(1, 6):
        fieldset = page.locator("fieldset.question")
        expect(fieldset).to_contain_text(f"Question {number} of 5")
        expect(page.locator("[data-practice=open][data-ready]")).to_be_attached()
        kind = fieldset.get_attribute("data-kind") or ""
        if kind in ("single", "multiple"):
            # The help, and Enter before anything is chosen: neither answers.
            page.keyboard.press("?")
            expect(page.locator("#keys")).to_be_visible()
            page.keyboard.press("1")  # belongs to the help while that is open
            page.keyboard.press("Escape")
            expect(page.locator("#keys")).to_be_hidden()
            expect(page.locator(".options input:checked")).to_have_count(0)
        if kind == "single":
            page.keyboard.press("Enter")
            expect(page.locator(".field-error")).to_contain_text("Nothing is answered yet")
            expect(page.locator("[data-practice=open][data-ready]")).to_be_attached()
            page.keyboard.press("2")
            expect(page.locator(".options input").nth(1)).to_be_checked()
            page.keyboard.press("Shift+C")
            expect(page.locator(".options input").nth(2)).to_be_checked()
            # With Ctrl the key is the browser's.
            page.keyboard.press("Control+1")
            expect(page.locator(".options input").nth(2)).to_be_checked()
            page.keyboard.press("b")
            expect(page.locator("[data-bookmark]")).to_have_attribute("aria-pressed", "true")
            expect(page.locator(".options input").nth(2)).to_be_checked()  # the answer is not lost
        elif kind == "multiple":
            page.keyboard.press("1")
            page.keyboard.press("3")
            page.keyboard.press("1")
            expect(page.locator(".options input:checked")).to_have_count(1)
        elif kind == "true-false":
            page.keyboard.press("f")
        elif kind == "short":
            # The field has the focus; letters and digits are the learner's.
            page.keyboard.type("idempotency key nb?1")
            expect(page.locator("fieldset.question input")).to_have_value("idempotency key nb?1")
            for _ in range(5):
                page.keyboard.press("Backspace")
            # Escape gives the keys back, and what was typed stays.
            page.keyboard.press("Escape")
            page.keyboard.press("?")
            expect(page.locator("#keys")).to_be_visible()
            page.keyboard.press("Escape")
            expect(page.locator("#keys")).to_be_hidden()
        elif kind == "open":
            page.keyboard.type("It holds locks,\nn times.")
            page.keyboard.press("Control+Enter")
            expect(page.locator(".graded")).to_contain_text("Waits for your marks")
            expect(page.locator("[data-practice=answered][data-ready]")).to_be_attached()
            page.keyboard.press("1")
        page.keyboard.press("Enter")
        expect(page.locator(".graded .explanation")).to_be_visible()
        expect(page.locator("[data-practice=answered][data-ready]")).to_be_attached()
        # A screen reader begins at the verdict.
        assert page.evaluate("document.activeElement.id") == f"question-{number}-title"
        answered.append(kind)
        page.keyboard.press("n" if number % 2 else "Enter")
    expect(page).to_have_url(re.compile("/result$"))
    expect(page.locator("main")).to_contain_text("asked again")
    assert set(answered) == {"single", "multiple", "true-false", "short", "open"}

    stored = {one.question_id: one for one in db.scalars(select(PracticeAnswer))}
    assert stored["a-true-false"].fraction == 1.0
    assert stored["a-short"].fraction == 1.0
    assert stored["a-open"].fraction == pytest.approx(2 / 3)
    assert stored["a-open"].given["text"] == "It holds locks,\nn times."
    assert all(one.seconds is not None and one.rating for one in stored.values())
    assert db.get_one(QuestionNote, (learner_user.id, "a-single")).bookmarked
    violations = [line for line in page.console_lines if "Content Security Policy" in line]  # type: ignore[attr-defined]
    assert violations == []


def test_what_a_learner_did_is_in_the_statistics(
    page: Page, site: str, db: Session, learner_user: User
) -> None:
    teacher = users.user(db, role=Role.INSTRUCTOR)
    db.commit()
    sign_in(page, site, learner_user)
    page.goto(f"{site}/practice/")
    page.get_by_role("button", name="Start with this topic").click()
    fieldset = page.locator("fieldset.question")
    for number in range(1, 6):
        expect(fieldset).to_contain_text(f"Question {number} of 5")
        if fieldset.get_attribute("data-kind") == "single":
            break
        page.get_by_role("button", name="I don’t know").click()
        page.get_by_role("link", name="Next").click()
    page.get_by_role("button", name="I don’t know").click()
    expect(page.locator(".graded")).to_contain_text("Not answered")
    page.get_by_text("Report a fault in this question").click()
    page.get_by_label("What is wrong").select_option(label="The answer or its explanation is wrong")
    page.get_by_label("In a sentence or two").fill("The second holds, too.")
    page.get_by_role("button", name="Send the report").click()
    expect(page.get_by_text("The instructors see your report")).to_be_visible()
    page.locator("summary[aria-label^='Account']").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in").first).to_be_visible()

    sign_in(page, site, teacher)
    page.goto(f"{site}/practice/")
    page.get_by_role("link", name="Question statistics").click()
    page.get_by_role("link", name="Reports", exact=True).last.click()
    expect(page.locator("th[aria-sort]")).to_contain_text("Reports")
    row = page.locator("tbody tr").first
    expect(row).to_contain_text("a-single")
    row.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("a-single")
    expect(page.locator(".figures")).to_contain_text("29 more first answers until it can be trusted")
    expect(page.locator("main")).to_contain_text("The second holds, too.")
    page.get_by_role("link", name="All reports").click()
    page.get_by_label("What was done").fill("The key is mended.")
    page.get_by_role("button", name="Close the report").click()
    expect(page.get_by_text("The report is closed.")).to_be_visible()
    expect(page.locator("main")).to_contain_text("The key is mended.")
    assert db.scalars(select(QuestionReport)).one().closed_by == teacher.id
