"""Texts that people type: as they are stored, and within their bounds."""

from __future__ import annotations

from portal.errors import Invalid


def tidy(text: str) -> str:
    """A typed text as it is stored: one sort of line end, nothing that databases refuse, no space around it."""
    return text.replace("\r\n", "\n").replace("\x00", "").strip()


def too_long(what: str, text: str, most: int) -> str | None:
    """What to tell whoever wrote too much; None when it fits. `what` is such as `A note`."""
    if len(text) <= most:
        return None
    return f"{what} has at most {most:,} characters; this one has {len(text):,}. Shorten it."


def written(what: str, text: str, most: int) -> str:
    """The text as it is stored. Raises Invalid when it is too long."""
    text = tidy(text)
    if (fault := too_long(what, text, most)) is not None:
        raise Invalid(fault)
    return text
