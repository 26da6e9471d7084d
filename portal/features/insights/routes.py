"""Pages for instructors on questions."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_login import current_user

from portal.errors import Conflict, Invalid, NotFound
from portal.extensions import db, limiter, portal
from portal.features.insights import queries, views
from portal.features.insights.service import LOW_FIRST, RESOLUTION_MAX, InsightService, Sort, arranged, item_of
from portal.features.practice import views as question_views
from portal.features.reviews import REASONS
from portal.guards import requires
from portal.kept_pages import kept_page
from portal.models import ReportReason, Role, Subject
from question_bank import statistics
from question_bank.statistics import Flag, Tally

blueprint = Blueprint("insights", __name__, url_prefix="/insights")

PAGE = 50
ANY_FLAG = "any"


@blueprint.get("/questions")
@requires(Role.INSTRUCTOR)
@kept_page(Subject.ANSWERS, Subject.REPORTS)
def questions() -> str:
    """Every question with its figures; sorted and filtered by the address."""
    sort = _sort(request.args.get("sort", ""))
    down = request.args.get("down", "0" if sort in LOW_FIRST else "1") == "1"
    flag = request.args.get("flag", "")
    module = request.args.get("module", "")
    everything = InsightService(db(), portal().content).items()
    found = [
        item
        for item in everything
        if (not module or item.question.module == module)
        and (not flag or (item.flags if flag == ANY_FLAG else flag in item.flags))
    ]
    page = max(1, request.args.get("page", 1, type=int))
    pages = max(1, -(-len(found) // PAGE))
    page = min(page, pages)
    modules = portal().content.roadmap.modules
    counts = {one: sum(one in item.flags for item in everything) for one in Flag}
    return render_template(
        "insights/questions.html",
        items=arranged(found, sort, down=down)[(page - 1) * PAGE : page * PAGE],
        found=len(found),
        total=len(everything),
        answered=sum(item.tally.answers > 0 for item in everything),
        sort=sort,
        sorts=list(Sort),
        low_first=LOW_FIRST,
        down=down,
        flag=flag,
        module=module,
        page=page,
        pages=pages,
        flags=counts,
        any_flag=ANY_FLAG,
        modules={m: modules[m].title if m in modules else m for m in sorted(_modules())},
        titles={m.id: m.title for m in modules.values()},
        trustworthy=statistics.TRUSTWORTHY,
        trustworthy_pairs=statistics.TRUSTWORTHY_PAIRS,
    )


@blueprint.get("/questions/<question_id>")
@requires(Role.INSTRUCTOR)
@kept_page(Subject.ANSWERS, Subject.PEOPLE, Subject.REPORTS)
def question(question_id: str) -> str:
    """One question as a learner sees it, and how it does."""
    content = portal().content
    found = content.bank.find(question_id)
    if found is None:
        raise NotFound("There is no such question in the bank.")
    tallies = queries.tallies_of(db(), (found.id, *found.replaces))
    today = sum(
        (t for (name, version, _v), t in tallies.items() if (name, version) == (found.id, found.content_hash)),
        Tally(),
    )
    bucket = queries.median_buckets(db(), {found.content_hash}).get((found.id, found.content_hash))
    counts = queries.option_counts(db(), found.id, found.content_hash)
    module = content.roadmap.modules.get(found.module)
    return render_template(
        "insights/question.html",
        question=question_views.asked(found, seed=0),
        source=found,
        module=module,
        item=item_of(found, today, bucket=bucket, all_answers=sum(tally.answers for tally in tallies.values())),
        options=views.option_rows(found, counts, today.counted),
        heads=views.option_heads(found),
        versions=views.version_rows(found, tallies),
        variants=views.variant_rows(found, tallies),
        reports=queries.reports(db(), question_id=found.id),
        reasons=REASONS,
        trustworthy=statistics.TRUSTWORTHY,
        trustworthy_pairs=statistics.TRUSTWORTHY_PAIRS,
        reason_of=_reason,
    )


@blueprint.get("/reports")
@requires(Role.INSTRUCTOR)
@kept_page(Subject.PEOPLE, Subject.REPORTS)
def reports() -> str:
    """What learners say is wrong."""
    return render_template(
        "insights/reports.html",
        waiting=queries.reports(db()),
        closed=queries.reports(db(), closed=True),
        bank=portal().content.bank,
        reason_of=_reason,
        resolution_max=RESOLUTION_MAX,
        most=queries.REPORTS_MOST,
    )


@blueprint.post("/reports/<int:report_id>/close")
@requires(Role.INSTRUCTOR)
@limiter.limit("120 per minute")
def close(report_id: int) -> Any:
    """Close a report."""
    try:
        InsightService(db(), portal().content).close(
            report_id, current_user.id, request.form.get("resolution", "")
        )
    except (Conflict, Invalid) as error:
        flash(error.message, "warning")
    else:
        flash("The report is closed.", "success")
    return redirect(url_for("insights.reports"))


def _sort(name: str) -> Sort:
    try:
        return Sort(name)
    except ValueError:
        return Sort.FLAGS


def _modules() -> set[str]:
    return {question.module for question in portal().content.bank.questions.values()}


def _reason(reason: str) -> str:
    return REASONS[ReportReason(reason)] if reason in set(ReportReason) else reason
