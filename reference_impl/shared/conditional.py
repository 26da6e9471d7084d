"""Conditional requests (RFC 9110, section 13): entity tags for readers who have it, and for writers who must not overwrite."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Header, Request, Response

from reference_impl.shared.problems import Problem

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e]*)"')

IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=500,
        description="The ETag of what you read: the change is made only while it is still that. `*`: whatever it is now.",
    ),
]


def etag(version: int, representation: str) -> str:
    """The strong entity tag of one version of something, in one of its representations."""
    return f'"{version}.{representation}"'


def not_modified(request: Request, response: Response, tag: str) -> Response | None:
    """Put the tag into the answer; when the caller has that version already, the 304 to answer instead."""
    response.headers["ETag"] = tag
    response.headers["Cache-Control"] = "no-cache"  # may be kept, and has to be asked for each time
    known = request.headers.get("if-none-match", "")
    if known.strip() != "*" and not any(f'"{found}"' == tag for _weak, found in _TAG.findall(known[:2000])):
        return None
    return Response(status_code=304, headers=dict(response.headers))


def expected_version(if_match: str | None, representation: str) -> int | None:
    """The version that a change is meant for; None when any will do.

    Raises Problem 428 without If-Match: a change that compares with nothing would overwrite what it never saw. Raises Problem 412
    for a tag that was never given out for this representation: weak ones never match here.
    """
    if if_match is None:
        detail = "Send the ETag of what you read as If-Match, or `*` to overwrite whatever is there."
        raise Problem(428, "if-match-needed", "The change needs an If-Match", detail)
    if if_match.strip() == "*":
        return None
    for weak, found in _TAG.findall(if_match):
        version, _, kind = found.partition(".")
        if (
            not weak
            and kind == representation
            and version.isascii()
            and version.isdigit()
            and len(version) < 16
        ):
            return int(version)
    detail = f"It holds no ETag of this representation ({representation})."
    raise Problem(412, "changed-meanwhile", "The If-Match matches nothing", detail)
