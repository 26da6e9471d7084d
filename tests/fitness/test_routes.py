"""Who may open which route: every route is in this table, and every role is walked through every one."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from portal.content import Content
from portal.models import QuizAnswer, QuizAttempt, Role, User, Verdict, WorkState, utcnow
from portal.settings import Settings
from tests.factories import activities, authoring, lab_sessions, plans, practice, scorecards, submissions, users
from tests.fixtures.portal import Client, signed_in

ANYONE = "anyone"
SIGNED_IN = "signed in"
INSTRUCTORS = "instructors"
ADMINS = "admins"
MAY = {
    ANYONE: set(Role),
    SIGNED_IN: set(Role),
    INSTRUCTORS: {Role.INSTRUCTOR, Role.ADMIN},
    ADMINS: {Role.ADMIN},
}

# endpoint → (method, path with the ids of things that are the visitor's own, who)
ROUTES: dict[str, tuple[str, str, str]] = {
    "static": ("GET", "/static/dist/manifest.json", ANYONE),
    "home.index": ("GET", "/", ANYONE),
    "home.healthz": ("GET", "/healthz", ANYONE),
    "accounts.sign_in": ("GET", "/account/sign-in", ANYONE),
    "accounts.sign_up": ("GET", "/account/sign-up", ANYONE),
    "accounts.use_link": ("GET", "/account/link/some-token", ANYONE),
    "accounts.sign_out": ("POST", "/account/sign-out", SIGNED_IN),
    "accounts.time_zone": ("POST", "/account/time-zone", SIGNED_IN),
    "accounts.profile": ("GET", "/account/", SIGNED_IN),
    "roadmap.tracks": ("GET", "/roadmap/", SIGNED_IN),
    "roadmap.track": ("GET", "/roadmap/tracks/solution-architect", SIGNED_IN),
    "roadmap.module": ("GET", "/roadmap/modules/schema-design", SIGNED_IN),
    "roadmap.lesson": ("GET", "/lessons/{lesson}", SIGNED_IN),
    "roadmap.position": ("POST", "/lessons/{lesson}/position", SIGNED_IN),
    "roadmap.note": ("POST", "/lessons/{lesson}/note", SIGNED_IN),
    "roadmap.preview_lesson": ("GET", "/roadmap/preview", INSTRUCTORS),
    "roadmap.mark_read": ("POST", "/lessons/{lesson}/read", SIGNED_IN),
    "portfolio.index": ("GET", "/portfolio", SIGNED_IN),
    "portfolio.activity": ("GET", "/activities/{activity}", SIGNED_IN),
    "portfolio.start": ("POST", "/activities/{activity}/start", SIGNED_IN),
    "portfolio.leave": ("POST", "/activities/{activity}/leave", SIGNED_IN),
    "portfolio.done": ("POST", "/activities/{activity}/done", SIGNED_IN),
    "portfolio.hand_in": ("POST", "/activities/{new_activity}/hand-in", SIGNED_IN),
    "portfolio.withdraw": ("POST", "/activities/{activity}/withdraw", SIGNED_IN),
    "portfolio.queue": ("GET", "/portfolio/queue", INSTRUCTORS),
    "portfolio.review": ("GET", "/portfolio/queue/{hand_in}", INSTRUCTORS),
    "portfolio.claim": ("POST", "/portfolio/queue/{other_hand_in}/claim", INSTRUCTORS),
    "portfolio.release": ("POST", "/portfolio/queue/{other_hand_in}/release", INSTRUCTORS),
    "portfolio.decide": ("POST", "/portfolio/queue/{claimed_hand_in}/decide", INSTRUCTORS),
    "portfolio.revoke": ("POST", "/portfolio/queue/{approved_hand_in}/revoke", INSTRUCTORS),
    "scorecard.index": ("GET", "/scorecard", SIGNED_IN),
    "scorecard.assess": ("POST", "/scorecard/assess", SIGNED_IN),
    "scorecard.criteria": ("GET", "/scorecard/criteria", SIGNED_IN),
    "scorecard.say": ("POST", "/scorecard/criteria/{criterion}", SIGNED_IN),
    "scorecard.commitments": ("GET", "/scorecard/commitments", SIGNED_IN),
    "scorecard.log": ("POST", "/scorecard/commitments/entries", SIGNED_IN),
    "scorecard.forget": ("POST", "/scorecard/commitments/entries/{entry}/delete", SIGNED_IN),
    "scorecard.metrics": ("POST", "/scorecard/metrics", SIGNED_IN),
    "plan.index": ("GET", "/plan/", SIGNED_IN),
    "plan.new": ("GET", "/plan/new", SIGNED_IN),
    "plan.ready": ("GET", "/plan/ready/weekly-tracker", SIGNED_IN),
    "plan.change": ("POST", "/plan/change", SIGNED_IN),
    "plan.end": ("POST", "/plan/end", SIGNED_IN),
    "plan.tick": ("POST", "/plan/aims/tracker-go-tour", SIGNED_IN),
    "plan.download": ("GET", "/plan/calendar.ics", SIGNED_IN),
    "plan.address": ("POST", "/plan/calendar/address", SIGNED_IN),
    "plan.revoke": ("POST", "/plan/calendar/revoke", SIGNED_IN),
    "plan.feed": ("GET", "/plan/calendar/{feed}.ics", ANYONE),
    "lab_sessions.index": ("GET", "/labs/", SIGNED_IN),
    "lab_sessions.lab": ("GET", "/labs/never-oversell", SIGNED_IN),
    "lab_sessions.status": ("GET", "/labs/never-oversell/status", SIGNED_IN),
    "lab_sessions.launch": ("POST", "/labs/never-oversell/launch", SIGNED_IN),
    "lab_sessions.stop": ("POST", "/labs/never-oversell/stop", SIGNED_IN),
    "lab_sessions.extend": ("POST", "/labs/never-oversell/extend", SIGNED_IN),
    "lab_sessions.still_here": ("POST", "/labs/never-oversell/still-here", SIGNED_IN),
    "lab_sessions.download": ("GET", "/labs/never-oversell/files.zip", SIGNED_IN),
    "lab_sessions.reset_page": ("GET", "/labs/never-oversell/reset", SIGNED_IN),
    "lab_sessions.reset": ("POST", "/labs/never-oversell/reset", SIGNED_IN),
    "lab_sessions.bring_back": ("POST", "/labs/never-oversell/bring-back", SIGNED_IN),
    "lab_sessions.check": ("POST", "/labs/never-oversell/check", SIGNED_IN),
    "lab_sessions.submit": ("POST", "/labs/never-oversell/submit", SIGNED_IN),
    "lab_sessions.hint": ("POST", "/labs/never-oversell/hints/{task}/1", SIGNED_IN),
    "lab_sessions.attempt": ("GET", "/labs/attempts/{submission}", SIGNED_IN),
    "lab_sessions.solution": ("GET", "/labs/never-oversell/solution", SIGNED_IN),
    "reference.file": ("GET", "/code/reference_impl/services/inventory/service.py", SIGNED_IN),
    "practice.quizzes": ("GET", "/quizzes/", SIGNED_IN),
    "practice.start": ("POST", "/quizzes/start/schema-design", SIGNED_IN),
    "practice.quiz": ("GET", "/quizzes/{quiz}", SIGNED_IN),
    "practice.answer": ("POST", "/quizzes/{quiz}", SIGNED_IN),
    "practice.result": ("GET", "/quizzes/{finished_quiz}/result", SIGNED_IN),
    "reviews.index": ("GET", "/practice/", SIGNED_IN),
    "reviews.start": ("POST", "/practice/start", SIGNED_IN),
    "reviews.session": ("GET", "/practice/sessions/{practice}", SIGNED_IN),
    "reviews.question": ("GET", "/practice/sessions/{practice}/1", SIGNED_IN),
    "reviews.answer": ("POST", "/practice/sessions/{practice}/1", SIGNED_IN),
    "reviews.mark": ("POST", "/practice/sessions/{practice}/1/mark", SIGNED_IN),
    "reviews.attempt": ("POST", "/practice/sessions/{practice}/1/try", SIGNED_IN),
    "reviews.program": ("GET", "/practice/sessions/{practice}/1/program", SIGNED_IN),
    "reviews.end": ("POST", "/practice/sessions/{practice}/end", SIGNED_IN),
    "reviews.result": ("GET", "/practice/sessions/{finished_practice}/result", SIGNED_IN),
    "reviews.kept": ("GET", "/practice/kept", SIGNED_IN),
    "reviews.settings": ("GET", "/practice/settings", SIGNED_IN),
    "reviews.bookmark": ("POST", "/practice/questions/{question}/bookmark", SIGNED_IN),
    "reviews.note": ("POST", "/practice/questions/{question}/note", SIGNED_IN),
    "reviews.report": ("POST", "/practice/questions/{question}/report", SIGNED_IN),
    "search.search": ("GET", "/search?q=isolation", SIGNED_IN),
    "search.glossary": ("GET", "/glossary", SIGNED_IN),
    "insights.questions": ("GET", "/insights/questions", INSTRUCTORS),
    "insights.question": ("GET", "/insights/questions/{question}", INSTRUCTORS),
    "insights.reports": ("GET", "/insights/reports", INSTRUCTORS),
    "insights.close": ("POST", "/insights/reports/{report}/close", INSTRUCTORS),
    "authoring.index": ("GET", "/authoring/", INSTRUCTORS),
    "authoring.import_file": ("GET", "/authoring/import", INSTRUCTORS),
    "authoring.decide": ("GET", "/authoring/import/{import}", INSTRUCTORS),
    "authoring.export_file": ("POST", "/authoring/export", INSTRUCTORS),
    "authoring.write_out": ("POST", "/authoring/write-out", INSTRUCTORS),
    "authoring.new": ("GET", "/authoring/new", INSTRUCTORS),
    "authoring.question": ("GET", "/authoring/questions/{draft}", INSTRUCTORS),
    "authoring.edit": ("GET", "/authoring/questions/{draft}/edit", INSTRUCTORS),
    "authoring.check": ("POST", "/authoring/questions/{draft}/check", INSTRUCTORS),
    "authoring.step": ("POST", "/authoring/questions/{draft}/step", INSTRUCTORS),
    "authoring.comment": ("POST", "/authoring/questions/{draft}/comments", INSTRUCTORS),
    "authoring.resolve": ("POST", "/authoring/questions/{draft}/comments/{comment}", INSTRUCTORS),
    "authoring.history": ("GET", "/authoring/questions/{draft}/history", INSTRUCTORS),
    "authoring.restore": ("POST", "/authoring/questions/{draft}/restore", INSTRUCTORS),
    "authoring.discard": ("POST", "/authoring/questions/{draft}/discard", INSTRUCTORS),
    "authoring.duplicate": ("GET", "/authoring/questions/{draft}/duplicate", INSTRUCTORS),
    "admin.sandboxes": ("GET", "/admin/sandboxes", ADMINS),
    "admin.live": ("GET", "/admin/sandboxes/live", ADMINS),
    "admin.stop": ("POST", "/admin/sandboxes/{session}/stop", ADMINS),
    "admin.reap": ("POST", "/admin/sandboxes/reap", ADMINS),
    "admin.examine": ("POST", "/admin/sandboxes/examine", ADMINS),
}

# What a form has to say, beside its token, to be understood.
FORMS: dict[str, dict[str, str]] = {
    "accounts.time_zone": {"time_zone": "Europe/Vienna"},
    "reviews.start": {"source": "module", "id": "schema-design"},
    "reviews.answer": {"pass": "yes"},
    "authoring.step": {"step": "send"},
    "authoring.comment": {"base": authoring.TEXT_HASH, "line": "1", "text": "Say it shorter."},
    "authoring.restore": {"base": authoring.TEXT_HASH, "version": "1"},
    "authoring.discard": {"base": authoring.TEXT_HASH},
    "portfolio.hand_in": {"link": "https://code.example.org/it"},
    "portfolio.decide": {"verdict": "returned", "comment": "Show the second session, too."},
    "portfolio.revoke": {"reason": "The second session is a copy of the first."},
    "scorecard.assess": {"month": "{month}", "level-technical-depth": "3"},
    "scorecard.log": {"commitment": "comment-on-posts", "day": "{month}-{day}"},
    "scorecard.metrics": {"month": "{month}", "metric-posts-published": "2"},
}


def things_of(db: Session, user: User, content: Content) -> dict[str, object]:
    """One of everything that a path can name, all this user's, with every task of the lab passed."""
    lab = content.labs.labs["never-oversell"]
    session = lab_sessions.lab_session(db, user)
    submission = submissions.submission(db, user, results={task.id: "passed" for task in lab.tasks})
    question = next(q for q in content.bank.questions.values() if q.module == "schema-design")
    quizzes = []
    for finished in (None, submission.finished_at):
        attempt = QuizAttempt(
            user_id=user.id, module_id="schema-design", seed=1, finished_at=finished, score=0.0
        )
        attempt.answers = [
            QuizAnswer(question_id=question.id, position=1, content_hash="", fraction=0.0, correct=False)
        ]
        db.add(attempt)
        db.flush()
        quizzes.append(attempt.id)
    sessions = []
    for finished in (None, submission.finished_at):
        session_of_practice = practice.practice_session(db, user, [question], finished_at=finished)
        sessions.append(session_of_practice.id)
    report = practice.report(db, user, question)
    planned = plans.plan(db, user, content)
    draft = authoring.draft(db, user)
    comment = authoring.comment(db, draft, user)
    uploaded = authoring.uploaded(db, user)
    first, second, third = list(content.roadmap.activities)[:3]
    own = activities.hand_in(db, activities.work(db, user, first, state=WorkState.HANDED_IN))
    waiting = []
    for by in (None, user):
        work = activities.work(db, users.user(db), second, state=WorkState.HANDED_IN)
        waiting.append(activities.hand_in(db, work, by=by))
    at = submission.finished_at
    third_work = activities.work(
        db, users.user(db), second, state=WorkState.APPROVED, done_at=at, approved_at=at
    )
    approved = activities.hand_in(db, third_work, verdict=Verdict.APPROVED, by=users.user(db))
    entry = scorecards.entry(db, user)
    scorecards.month(db, user)
    db.commit()
    return {
        "lesson": next(iter(content.roadmap.lessons)),
        "task": lab.tasks[0].id,
        "session": session.id,
        "submission": submission.id,
        "quiz": quizzes[0],
        "finished_quiz": quizzes[1],
        "question": question.id,
        "practice": sessions[0],
        "finished_practice": sessions[1],
        "report": report.id,
        "feed": planned.token,
        "draft": draft.question_id,
        "comment": comment.id,
        "import": uploaded.id,
        "activity": first,
        "new_activity": third,
        "hand_in": own.id,
        "other_hand_in": waiting[0].id,
        "claimed_hand_in": waiting[1].id,
        "approved_hand_in": approved.id,
        "entry": entry.id,
        "criterion": next(
            each.id for track in content.roadmap.tracks.values() for each in track.criteria if not each.evidence
        ),
    }


def ask(client: Client, endpoint: str, things: dict[str, object]) -> int:
    method, path, _who = ROUTES[endpoint]
    path = path.format(**things)
    if endpoint == "accounts.sign_out":
        return client.post(path).status_code
    now = utcnow()  # and not when this module is loaded: that may have been yesterday
    form = {
        name: text.format(month=f"{now:%Y-%m}", day=f"{now:%d}")
        for name, text in FORMS.get(endpoint, {}).items()
    }
    return (client.get(path) if method == "GET" else client.post(path, form)).status_code


def test_every_route_is_in_the_table(app: Flask) -> None:
    assert {rule.endpoint for rule in app.url_map.iter_rules()} == set(ROUTES)


def test_every_route_answers_to_the_methods_it_should(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        assert rule.methods is not None
        assert rule.methods <= {"GET", "HEAD", "OPTIONS", "POST"}, rule
        assert ROUTES[rule.endpoint][0] in rule.methods


READ = [endpoint for endpoint, (method, _path, _who) in ROUTES.items() if method == "GET"]
WRITTEN = [endpoint for endpoint in ROUTES if endpoint not in READ]
"""What changes something gets a portal of its own; pages are looked at one after the other."""


def test_a_visitor_opens_only_what_is_for_anyone(anonymous: Client, db: Session, content: Content) -> None:
    things = things_of(db, users.user(db), content)
    found = {endpoint: ask(anonymous, endpoint, things) for endpoint in ROUTES}

    assert found == {endpoint: 200 if who == ANYONE else 302 for endpoint, (_m, _p, who) in ROUTES.items()}


def allowed(endpoint: str, role: Role, status: int) -> bool:
    """Whether this is the answer that somebody of the role has to get."""
    return status in {200, 204, 302} if role in MAY[ROUTES[endpoint][2]] else status == 403


@pytest.mark.parametrize("role", list(Role))
def test_every_role_opens_the_pages_it_may(
    app: Flask, settings: Settings, db: Session, content: Content, role: Role
) -> None:
    user = users.user(db, role=role)
    things = things_of(db, user, content)
    client = signed_in(app, settings, user)
    found = {endpoint: ask(client, endpoint, things) for endpoint in READ}

    assert {endpoint: status for endpoint, status in found.items() if not allowed(endpoint, role, status)} == {}


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("endpoint", WRITTEN)
def test_every_role_does_what_it_may(
    app: Flask, settings: Settings, db: Session, content: Content, endpoint: str, role: Role
) -> None:
    user = users.user(db, role=role)
    things = things_of(db, user, content)
    status = ask(signed_in(app, settings, user), endpoint, things)
    assert allowed(endpoint, role, status), f"{role} got {status}"


OWN = [
    "lab_sessions.attempt",
    "practice.quiz",
    "practice.answer",
    "practice.result",
    "reviews.session",
    "reviews.question",
    "reviews.answer",
    "reviews.mark",
    "reviews.attempt",
    "reviews.program",
    "reviews.end",
    "reviews.result",
    "scorecard.forget",
]


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("endpoint", OWN)
def test_other_people_s_things_are_not_found(
    app: Flask, settings: Settings, db: Session, content: Content, endpoint: str, role: Role
) -> None:
    things = things_of(db, users.user(db), content)
    stranger = users.user(db, role=role)
    db.commit()
    assert ask(signed_in(app, settings, stranger), endpoint, things) == 404


@pytest.mark.parametrize("endpoint", [e for e, (method, _p, _w) in ROUTES.items() if method == "POST"])
def test_no_form_is_accepted_without_its_token(
    app: Flask, settings: Settings, db: Session, content: Content, endpoint: str
) -> None:
    user = users.user(db)
    path = ROUTES[endpoint][1].format(**things_of(db, user, content))
    client = signed_in(app, settings, user)
    response = client.flask.post(path, base_url=settings.portal_origin_effective)
    assert response.status_code == 400
    assert "reload" in response.text
