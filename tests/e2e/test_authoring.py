"""A question's way in a browser: written, refused by the lint, reviewed, published, asked."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy.orm import Session

from portal.content import Content
from portal.models import Role, User
from portal.settings import Settings
from tests.e2e.served import served, sign_in
from tests.factories import authoring, users
from tests.fixtures import questions
from tests.fixtures.portal import NotedJobs

pytestmark = [pytest.mark.browser, pytest.mark.timeout(2400)]
expect.set_options(timeout=60_000)


@pytest.fixture
def site(settings: Settings, content: Content, jobs: NotedJobs) -> Iterator[str]:
    """A portal with a small bank; its address."""
    with served(settings, questions.content_of(content, questions.question("single")), jobs) as address:
        yield address


@pytest.fixture
def author(db: Session) -> User:
    user = users.user(db, role=Role.INSTRUCTOR)
    db.commit()
    return user


@pytest.fixture
def reviewer(db: Session) -> User:
    user = users.user(db, role=Role.INSTRUCTOR)
    db.commit()
    return user


def opened(browser: Browser, site: str, user: User) -> Page:
    """A page of a browser in which this person is signed in."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(60_000)
    sign_in(page, site, user)
    return page


def editor(page: Page):
    """The editor, once it is there."""
    expect(page.locator("form[data-editor][data-ready]")).to_be_attached()
    return page.get_by_role("textbox", name="Text of the file")


def write(page: Page, text: str) -> None:
    """Replace what stands in the editor, as somebody who pastes does."""
    editor(page).click()
    page.keyboard.press("Control+a")
    # Over a selection the browser itself would first write a styled element, which the policy refuses.
    page.keyboard.press("Delete")
    page.keyboard.insert_text(text)


def test_a_question_is_written_reviewed_published_and_asked(
    page: Page, browser: Browser, site: str, author: User, reviewer: User, learner_user: User
) -> None:
    # The author begins it from the kind's starting file.
    hers = opened(browser, site, author)
    violations: list[str] = []
    hers.on("console", lambda message: violations.append(message.text) if message.type == "error" else None)
    hers.goto(f"{site}/practice/")
    hers.get_by_role("link", name="Question bank").click()
    hers.get_by_role("link", name="New question").click()
    hers.get_by_label("Kind").select_option(label="Single choice")
    hers.get_by_label("Main topic").select_option(value="acid")
    hers.get_by_label("Id").fill("write-skew")
    hers.get_by_role("button", name="Begin").click()
    expect(editor(hers)).to_contain_text("id: write-skew")
    expect(hers.locator("#checked .remarks")).to_contain_text("Fill in")

    # The lint speaks while she types, beside the line and in the list, and the preview follows.
    write(hers, authoring.TEXT.replace("- [x] Write skew", "- [ ] Write skew"))
    # What was said of the text before is of other lines.
    fault = hers.locator("#checked .remarks li.is-fault").first
    expect(fault).to_contain_text("Mark exactly one option")
    expect(hers.locator(".cm-lint-marker-error")).to_be_visible()
    expect(hers.locator("#announcer")).to_contain_text("can’t be used like this")
    line = fault.get_attribute("data-line")
    hers.locator("#checked .remarks a").first.click()
    expect(hers.locator(".cm-lineNumbers .cm-activeLineGutter")).to_have_text(line or "?")
    write(hers, authoring.TEXT)
    expect(hers.locator("#checked")).to_contain_text("The lint finds nothing wrong")
    expect(hers.locator(".cm-lint-marker-error")).to_have_count(0)
    expect(hers.locator("#checked fieldset.as-learner")).to_contain_text("Two doctors go off duty")
    hers.get_by_label("Side by side").select_option("2")
    expect(hers.locator("#checked fieldset.as-learner")).to_have_count(2)
    hers.keyboard.press("Escape")
    editor(hers).click()
    hers.keyboard.press("Control+s")
    expect(hers.get_by_text("Saved.")).to_be_visible()
    expect(editor(hers)).to_contain_text("Two doctors go off duty")
    hers.get_by_role("button", name="Save and send for review").click()
    expect(hers.get_by_text("waits for the review of another instructor")).to_be_visible()
    expect(hers.get_by_role("button", name="Publish")).to_have_count(0)

    # The second instructor comments on a line and gives it back.
    his = opened(browser, site, reviewer)
    his.goto(f"{site}/authoring/")
    his.get_by_role("link", name="1 question waits for your review").click()
    his.get_by_role("row", name="write-skew").get_by_role("link").click()
    his.get_by_role("link", name="Comment on line 19", exact=True).click()
    his.get_by_label("Comment on line 19").last.fill("Say what a dirty read would need.")
    his.get_by_role("button", name="Comment").click()
    expect(his.get_by_role("list", name="Comments on line 19")).to_contain_text("what a dirty read would need")
    his.get_by_label("What should change").fill("One line to mend.")
    his.get_by_role("button", name="Return to the author").click()
    expect(his.get_by_text("back with its author")).to_be_visible()

    # She follows the comment, and sends it again.
    hers.goto(f"{site}/authoring/questions/write-skew/edit")
    editor(hers)
    expect(hers.get_by_text("Say what a dirty read would need.")).to_be_visible()
    hers.get_by_role("link", name="Line 19").click()
    hers.keyboard.press("End")
    hers.keyboard.type(" A dirty read needs an uncommitted write.")
    expect(hers.locator("#checked")).to_contain_text("The lint finds nothing wrong")
    hers.get_by_role("button", name="Save and send for review").click()
    expect(hers.get_by_text("waits for the review of another instructor")).to_be_visible()

    # He sees what became of it, and publishes.
    his.goto(f"{site}/authoring/questions/write-skew/history?from=2&to=3")
    expect(his.locator(".diff-added")).to_contain_text("A dirty read needs an uncommitted write.")
    expect(his.locator(".diff ins").first).to_be_visible()
    his.goto(f"{site}/authoring/questions/write-skew")
    his.get_by_role("button", name="Resolve").click()
    expect(his.get_by_text("The comment is resolved.")).to_be_visible()
    his.get_by_role("button", name="Publish").click()
    expect(his.get_by_text("Learners meet it from now on.")).to_be_visible()

    # A learner is asked it at once.
    theirs = opened(browser, site, learner_user)
    theirs.goto(f"{site}/authoring/")
    expect(theirs.get_by_role("heading", level=1)).not_to_contain_text("Question bank")
    theirs.goto(f"{site}/practice/")
    theirs.locator("#choose-module").select_option("transactions-and-isolation")
    theirs.locator("form:has(#choose-module) button[type=submit]").click()
    expect(theirs.locator("fieldset.question")).to_contain_text("Two doctors go off duty")

    # The learner answers by keyboard, and the statistics of the question have the answer.
    expect(theirs.locator("[data-practice][data-ready]")).to_be_attached()
    theirs.keyboard.press("1")
    theirs.keyboard.press("Enter")
    expect(theirs.locator(".graded")).to_contain_text("Both transactions read the same rows")
    his.goto(f"{site}/authoring/questions/write-skew")
    his.get_by_role("link", name="Statistics").click()
    expect(his.get_by_text("1 of them a learner’s first")).to_be_visible()

    # Retired, it is asked no more; the answer stays, and so does what the learner saw.
    answered = theirs.url
    his.goto(f"{site}/authoring/questions/write-skew")
    his.locator("summary", has_text="Retire").click()
    his.get_by_label("Why").fill("Asked too often.")
    his.get_by_role("button", name="Retire the question").click()
    expect(his.get_by_text("nobody is asked it any more")).to_be_visible()
    his.get_by_role("link", name="Statistics").click()
    expect(his.get_by_text("1 of them a learner’s first")).to_be_visible()
    theirs.goto(answered)
    expect(theirs.locator(".graded")).to_contain_text("Two doctors go off duty")
    assert [text for text in violations if "Content Security Policy" in text] == []


def test_two_editors_at_once_lose_nothing(browser: Browser, site: str, author: User, reviewer: User) -> None:
    address = f"{site}/authoring/questions/a-single/edit"
    hers, his = opened(browser, site, author), opened(browser, site, reviewer)
    for page in (hers, his):
        page.goto(address)
        editor(page)
    for page, words in ((hers, "Hers."), (his, "His.")):
        editor(page).click()
        page.keyboard.press("Control+End")
        page.keyboard.type(words)
    hers.get_by_role("button", name="Save", exact=True).click()
    expect(hers.get_by_text("Saved.")).to_be_visible()
    his.get_by_role("button", name="Save", exact=True).click()
    expect(his.get_by_text("Somebody else changed this question")).to_be_visible()
    expect(his.locator(".diff-removed")).to_contain_text("Hers.")
    expect(his.locator(".diff-added")).to_contain_text("His.")
    expect(editor(his)).to_contain_text("His.")
    editor(his).click()
    his.keyboard.press("Control+End")
    his.keyboard.type(" Hers.")
    his.get_by_role("button", name="Save", exact=True).click()
    expect(his.get_by_text("Saved.")).to_be_visible()
    expect(editor(his)).to_contain_text("His. Hers.")


def test_what_was_typed_outlives_the_page(browser: Browser, site: str, author: User) -> None:
    address = f"{site}/authoring/questions/a-single/edit"
    page = opened(browser, site, author)
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(address)
    editor(page).click()
    page.keyboard.press("Control+End")
    # A check that was still under way would be answered while somebody who is signed out asks for the form to sign in.
    with page.expect_response(
        lambda one: one.url.endswith("/check") and "saved+yet." in (one.request.post_data or "")
    ):
        page.keyboard.type("Not saved yet.")
    expect(page.locator("#checked")).to_contain_text("As a learner sees it")
    expect(page.locator("textarea[name=text]")).to_have_value(re.compile(r"Not saved yet\.$"))
    # The session ends elsewhere; the page is left and opened again.
    page.context.clear_cookies()
    page.goto(address)
    page.get_by_label("E-mail").fill(author.email)
    page.get_by_label("Password").fill(users.PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(editor(page)).not_to_contain_text("Not saved yet.")
    page.get_by_role("button", name="Take it up").click()
    expect(editor(page)).to_contain_text("Not saved yet.")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved.", exact=True)).to_be_visible()
    expect(editor(page)).to_contain_text("Not saved yet.")
    expect(page.locator("[data-recovered]")).to_be_hidden()


FAULTY = "---\nid: no-kind\n---\n\nWhat is it?\n"


def package(*texts: str) -> bytes:
    """A zip of these files of questions."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for number, text in enumerate(texts):
            made.writestr(f"bank/q{number}.md", text)
    return out.getvalue()


def test_of_a_package_with_faults_the_rest_is_taken_in(browser: Browser, site: str, author: User) -> None:
    page = opened(browser, site, author)
    page.goto(f"{site}/authoring/import")
    page.get_by_label("File", exact=True).set_input_files(
        {"name": "x.bin", "mimeType": "application/octet-stream", "buffer": b"\x00\x01nothing"}
    )
    page.get_by_role("button", name="Look at it").click()
    expect(page.get_by_text("x.bin looks like none of the formats: choose its format below.")).to_be_visible()
    near = authoring.text("write-skew-again").replace("go off duty", "leave their duty")
    page.get_by_label("File", exact=True).set_input_files(
        {
            "name": "quiz.zip",
            "mimeType": "application/zip",
            "buffer": package(FAULTY, "no front matter", authoring.TEXT, near),
        }
    )
    page.get_by_role("button", name="Look at it").click()
    expect(page.get_by_text("2 that could not be read")).to_be_visible()
    expect(page.locator(".import-files > li")).to_have_count(2)
    expect(page.get_by_role("heading", name="Could not be read")).to_have_count(0)  # a notice, no section
    expect(page.get_by_role("checkbox", name="write-skew", exact=False).first).to_be_visible()
    chosen = page.locator("input[name=take]:checked")
    assert chosen.evaluate_all("found => found.map(one => one.value)") == ["write-skew"]
    page.get_by_role("button", name="Take in as drafts").click()
    expect(page.get_by_text("1 question is taken in as drafts.")).to_be_visible()
    expect(page.get_by_role("row", name="write-skew")).to_have_count(1)

    # The same file again: nothing new; and an export of the draft comes as a file, after which the button is free again.
    page.locator("input[name=question]").check()
    with page.expect_download() as coming:
        page.get_by_role("button", name="Export").click()
    assert coming.value.suggested_filename == "questions.zip"
    expect(page.get_by_role("button", name="Export")).not_to_have_attribute("aria-busy", "true")


def test_nobody_is_caught_in_the_editor_and_a_lost_check_is_made_up_for(
    browser: Browser, site: str, author: User
) -> None:
    page = opened(browser, site, author)
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(f"{site}/authoring/questions/a-single/edit")
    editor(page).click()
    for key in ("Escape", "Tab"):
        page.keyboard.press(key)
    expect(page.locator("#look-seed")).to_be_focused()

    # The portal is away for a moment: the page says that what it shows is old, and checks again by itself.
    page.route("**/check", lambda route: route.abort())
    editor(page).click()
    page.keyboard.press("Control+End")
    page.keyboard.type("\nNot lost.")
    expect(page.locator("#checking")).to_contain_text("could not be checked")
    expect(page.locator("#toasts")).to_contain_text("This window keeps your text")
    page.unroute("**/check")
    expect(page.locator("#checking")).to_have_text("Checking …")
    expect(page.locator("#toasts > *")).to_have_count(0)

    # The last line stands above the bar with the buttons.
    page.keyboard.press("Control+End")
    page.keyboard.type("\n\n\n\n\n\n\n\n\n\n\n\nThe last.")
    # The caret is drawn, and what is drawn is scrolled, a moment after the key.
    page.wait_for_function(
        """() => {
          const editor = document.querySelector('[data-editor-place]').shadowRoot;
          const [caret, line, bar] = [editor.querySelector('.cm-cursor'), editor.querySelector('.cm-activeLine'),
            document.querySelector('.editor-bar')].map((one) => one?.getBoundingClientRect());
          return caret && line?.top < caret.bottom && caret.top < line.bottom && caret.bottom <= bar.top;
        }"""
    )
