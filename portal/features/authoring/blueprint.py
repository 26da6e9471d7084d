"""What the routes of authoring share: the blueprint, the services of a request, what it asks to see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flask import Blueprint, request

from portal.errors import Invalid, NotFound, PortalError
from portal.extensions import db, portal
from portal.features.authoring import listing, views
from portal.features.authoring.checking import cleaned
from portal.features.authoring.listing import Filters
from portal.features.authoring.publishing import try_to_write_out
from portal.features.authoring.reviewing import ReviewService
from portal.features.authoring.service import AuthoringService
from portal.features.authoring.working import Working
from portal.own_bank import OwnBank

blueprint = Blueprint("authoring", __name__, url_prefix="/authoring")
VARIANTS_AT_FIRST = 3
"""How many variants of a question with parameters are shown when nothing else is asked for."""


def own_bank() -> OwnBank:
    """The folder that questions are published to."""
    own = portal().source.own
    if own is None:
        raise PortalError("this application has no bank of its own")
    return own


def texts_of_request() -> AuthoringService:
    """The texts of questions, in this request's database session."""
    return AuthoringService(db(), portal().content, portal().source.base.bank, own_bank())


def filters_of(given: Mapping[str, str]) -> Filters:
    """What somebody looks for in the list, in an address or a form."""
    return Filters(
        words=given.get("q", "")[: listing.SEARCH_MOST].strip(),
        show=given.get("show", "")[:20],
        kind=given.get("kind", "")[:40],
        module=given.get("module", "")[:80],
        origin=given.get("origin", "")[:40],
    )


def working_of(question_id: str) -> Working:
    """The question of an address. Raises NotFound."""
    if len(question_id) > 80:
        raise NotFound("There is no such question, neither in the bank nor as a draft.")
    return texts_of_request().working(question_id)


def reviews_of_request() -> ReviewService:
    """Reviews and publication, in this request's database session."""
    return ReviewService(db(), texts_of_request(), review_required=portal().settings.review_required)


def checked_in_request(working: Working, text: str) -> dict[str, Any]:
    """What the lint says to a text and how learners would see it, as the request wishes: for `_checked.html`."""
    look = views.Look.of(
        request.values.get("seed"), request.values.get("variants"), request.values.get("answered")
    )
    try:
        found = texts_of_request().check(working, cleaned(text))
    except Invalid as error:
        return {"checked": None, "problem": error.message, "previews": [], "look": look}
    if found.question and found.question.parameterised and "variants" not in request.values:
        look = replace(look, count=VARIANTS_AT_FIRST)
    shown = views.previews(found.question, portal().content, look) if found.question else []
    return {
        "checked": found,
        "problem": "",
        "previews": shown,
        "look": look,
        "checked_id": working.question_id,
        "seeds_most": views.SEEDS_MOST,
    }


def write_out_now() -> bool:
    """Write what is due into the bank's folder; whether all went well."""
    return try_to_write_out(portal().database, own_bank())
