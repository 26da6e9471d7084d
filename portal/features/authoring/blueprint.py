"""What the routes of authoring share: the blueprint, the services of a request, the filters in an address."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint

from portal.errors import PortalError
from portal.extensions import db, portal
from portal.features.authoring import listing
from portal.features.authoring.listing import Filters
from portal.features.authoring.service import AuthoringService
from portal.own_bank import OwnBank

blueprint = Blueprint("authoring", __name__, url_prefix="/authoring")


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
