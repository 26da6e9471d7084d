"""Pages of the search and of the glossary."""

from __future__ import annotations

from flask import Blueprint, render_template, request, url_for
from flask_login import current_user

from portal.extensions import portal
from portal.features.search.documents import Found
from portal.features.search.glossary import by_letter
from portal.features.search.index import MAX_QUERY, Hit, Hits, index_of
from portal.kept_pages import kept_page
from portal.models import Role

blueprint = Blueprint("search", __name__)

SHOWN = 30
"""Hits on one page; the counts tell of all."""


@blueprint.get("/search")
@kept_page()
def search() -> str:
    """What a query finds; for htmx, the hits alone."""
    query = " ".join(request.args.get("q", "").split())[:MAX_QUERY]
    only = request.args.get("kind", "")
    found = index_of(portal().content).search(query) if query else Hits((), {})
    chosen = [hit for hit in found.hits if not only or hit.kind == only]
    template = "search/_hits.html" if request.headers.get("HX-Request") else "search/search.html"
    return render_template(
        template,
        query=query,
        only=only,
        found=found,
        hits=[{"hit": hit, "address": _address(hit), "topic": _topic(hit)} for hit in chosen[:SHOWN]],
        hidden=max(0, len(chosen) - SHOWN),
        kinds=list(Found),
        longest=MAX_QUERY,
    )


@blueprint.get("/glossary")
@kept_page()
def glossary() -> str:
    """All terms by letter."""
    catalogue = portal().content.roadmap
    return render_template(
        "search/glossary.html",
        letters=by_letter(catalogue.terms),
        lessons=catalogue.lessons,
        count=len(catalogue.terms),
    )


def _address(hit: Hit) -> str | None:
    """Where a hit leads; None for a question that the visitor can only practise."""
    match hit.kind:
        case Found.LESSON:
            return url_for("roadmap.lesson", lesson_id=hit.id)
        case Found.LAB:
            return url_for("lab_sessions.lab", slug=hit.id)
        case Found.TERM:
            return url_for("search.glossary", _anchor=f"term-{hit.id}")
        case Found.MODULE:
            return url_for("roadmap.module", module_id=hit.id)
        case Found.TOPIC:
            topic = portal().content.roadmap.topics[hit.id]
            return url_for("roadmap.module", module_id=topic.module, _anchor=f"topic-{topic.id}")
        case Found.ACTIVITY:
            return url_for("portfolio.activity", activity_id=hit.id)
        case Found.QUESTION:
            if current_user.has_role(Role.INSTRUCTOR):
                return url_for("insights.question", question_id=hit.id)
            return None


def _topic(hit: Hit) -> str | None:
    """The topic under which a question is practised."""
    question = portal().content.bank.questions.get(hit.id) if hit.kind is Found.QUESTION else None
    return question.topics[0] if question is not None else None
