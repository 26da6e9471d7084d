"""Everything that a learner gets to see of a grading, and whether a secret is in it."""

from __future__ import annotations

import base64
import codecs
import json
from html.parser import HTMLParser

from labs.report import Report
from portal.notebook_html import render_notebook

_ACTING_TAGS = {
    "script",
    "style",
    "iframe",
    "object",
    "embed",
    "form",
    "input",
    "button",
    "link",
    "meta",
    "base",
    "svg",
    "math",
}
_ADDRESSES = {"href", "src", "action", "formaction", "srcset", "data", "poster"}


def seen(report: Report) -> dict[str, str]:
    """The texts by where they are shown. Raises for what can't be stored or sent."""
    html = render_notebook(report.executed) if report.executed else ""
    texts = {
        "report": json.dumps(report.document(), ensure_ascii=False),
        "executed notebook": json.dumps(report.executed, ensure_ascii=True),
        "page": html,
    }
    for name, text in texts.items():
        text.encode()
        if "\0" in text:
            raise ValueError(f"the {name} holds a NUL, which a database does not take")
    return texts


def disguises(secret: str) -> set[str]:
    """A text in the disguises in which code may smuggle it out; all in small letters."""
    data = secret.encode()
    plain = {secret, secret[::-1], data.hex(), data.hex(" "), codecs.encode(secret, "rot13"), " ".join(secret)}
    plain |= {
        " ".join(str(byte) for byte in data),
        ",".join(str(byte) for byte in data),
        str(int.from_bytes(data, "big")),
    }
    plain |= {base64.b32encode(data).decode().rstrip("=")[:-2]}
    for shift in range(3):
        # In the middle of something longer, base64 looks in three ways; the ends depend on what is beside.
        plain.add(base64.b64encode(b"x" * shift + data).decode().rstrip("=")[shift + 1 : -2])
    return {text.lower() for text in plain}


def secrets_in(texts: dict[str, str], secrets: list[str]) -> list[str]:
    """Where which secret came out."""
    return [
        f"{secret} in the {name}"
        for name, text in ((name, text.lower()) for name, text in texts.items())
        for secret in secrets
        if any(disguise in text for disguise in disguises(secret))
    ]


class _Acting(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _ACTING_TAGS:
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            address = (value or "").strip().lower()
            if name.startswith(("on", "hx-", "data-", "style")):
                self.found.append(f"<{tag} {name}>")
            if name in _ADDRESSES and address.startswith(
                ("javascript:", "vbscript:", "data:text", "data:image/svg")
            ):
                self.found.append(f"<{tag} {name}={address[:40]}>")


def what_acts(html: str) -> list[str]:
    """What in a page could do something: scripts, handlers, forms, styles."""
    parser = _Acting()
    parser.feed(html)
    return parser.found
