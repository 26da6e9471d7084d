"""What the forms of activities say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from roadmap import Activity


@dataclass(frozen=True)
class Draft:
    """What a learner wants to hand in, as it was typed."""

    link: str = ""
    text: str = ""
    notes: tuple[str, ...] = ()
    """One for each condition, in their order; may be empty."""


def draft_of(form: Mapping[str, str], activity: Activity) -> Draft:
    """Read the form of an activity's page."""
    return Draft(
        link=form.get("link", ""),
        text=form.get("text", ""),
        notes=tuple(form.get(f"note-{index}", "") for index in range(len(activity.done_when))),
    )
