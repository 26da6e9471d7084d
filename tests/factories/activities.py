"""Activities that learners work on, and content that has some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from sqlalchemy.orm import Session

from portal.content import Content
from portal.models import ActivityWork, HandIn, User, Verdict, WorkState, utcnow
from roadmap import Activity, ActivityKind, Kind

MODULE = "schema-design"
TOPICS = ("naming-conventions", "hierarchies")
"""No activity of the content proves them."""
NAME = "lose-an-update"


def activity(
    id_: str = NAME, *, topics: Sequence[str] = TOPICS, title: str = "Lose an update on purpose"
) -> Activity:
    """An experiment of the module MODULE with two conditions."""
    return Activity(
        id=id_,
        kind=ActivityKind.EXPERIMENT,
        title=title,
        brief="Let two sessions change **one row**, and write down who lost.",
        done_when=("Both sessions are shown.", "The loss is measured, with `SELECT` after it."),
        hours=2,
        topics=tuple(topics),
        module=MODULE,
    )


def content_with(
    content: Content,
    *activities: Activity,
    replaced: dict[Kind, dict[str, str]] | None = None,
) -> Content:
    """The content, with these activities in MODULE (the usual one when none is named) and these replacements."""
    catalogue = content.roadmap
    home = catalogue.modules[MODULE]
    with_them = replace(home, activities=(*(activities or (activity(),)), *home.activities))
    modules = {id_: with_them if id_ == MODULE else module for id_, module in catalogue.modules.items()}
    changed = replace(
        catalogue,
        modules=MappingProxyType(modules),
        activities=MappingProxyType({a.id: a for module in modules.values() for a in module.activities}),
        replaced=MappingProxyType({**catalogue.replaced, **(replaced or {})}),
    )
    return replace(content, roadmap=changed)


def work(
    db: Session,
    user: User,
    activity_id: str = NAME,
    *,
    state: WorkState = WorkState.STARTED,
    done_at: datetime | None = None,
    approved_at: datetime | None = None,
) -> ActivityWork:
    """Work on an activity, in this state."""
    made = ActivityWork(
        user_id=user.id, activity_id=activity_id, state=state, done_at=done_at, approved_at=approved_at
    )
    db.add(made)
    db.flush()
    return made


def hand_in(
    db: Session,
    of: ActivityWork,
    *,
    verdict: Verdict | None = None,
    by: User | None = None,
    text: str = "It was lost.",
) -> HandIn:
    """Something that was handed in; with a verdict it was decided by `by`."""
    made = HandIn(
        work_id=of.id,
        text=text,
        link="https://code.example.org/lost",
        notes=[{"condition": "Both sessions are shown.", "note": "In the first part."}],
        verdict=verdict,
        decided_by=by.id if by is not None and verdict is not None else None,
        decided_at=utcnow() if verdict is not None else None,
        claimed_by=by.id if by is not None else None,
        claimed_at=utcnow() if by is not None else None,
        comment="Show the second session, too." if verdict is not None else "",
    )
    db.add(made)
    db.flush()
    return made
