"""The texts of messages, from Jinja templates.

A `.txt` template begins with headers, `Subject:` and for short messages `Short:`, an empty line, and the text of the email; the
`.html` beside it is the same for those who like it colourful. What is put into HTML is escaped, and a variable that is missing is
an error and not an empty place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from reference_impl.services.notification.kinds import LANGUAGE, Kind

FOLDER = Path(__file__).parent / "templates"
LONGEST_SHORT = 160
"""Characters of one SMS."""


@dataclass(frozen=True)
class Rendered:
    """One message in all its forms."""

    subject: str
    short: str
    text: str
    html: str


def render(kind: Kind, variables: Mapping[str, Any], language: str = LANGUAGE) -> Rendered:
    """The message for these variables. Raises jinja2.TemplateError."""
    clean = {name: one_line(value) for name, value in variables.items()}
    environment = _environment()
    head, _, text = environment.get_template(f"{language}/{kind.name}.txt").render(clean).partition("\n\n")
    headers = dict(line.split(": ", 1) for line in head.splitlines())
    short = headers.get("Short", headers["Subject"])
    return Rendered(
        subject=headers["Subject"],
        short=short if len(short) <= LONGEST_SHORT else f"{short[: LONGEST_SHORT - 1]}…",
        text=text.strip() + "\n",
        html=environment.get_template(f"{language}/{kind.name}.html").render(clean),
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        auto_reload=False,
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["money"] = _money
    environment.filters["brief"] = lambda order_id: str(order_id)[-8:]
    return environment


def _money(cents: int, currency: str) -> str:
    return f"{currency} {cents / 100:,.2f}"


def one_line(value: Any) -> Any:
    """A text without what could begin a new line, as a name with one in it would write headers; anything else as it is."""
    if not isinstance(value, str):
        return value
    return "".join(letter if letter.isprintable() else " " for letter in value).strip()
