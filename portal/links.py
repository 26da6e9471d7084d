"""Addresses that learners give: shown to others, so only what can be opened safely is taken."""

from __future__ import annotations

from urllib.parse import urlsplit

from portal.errors import Invalid

LINK_MOST = 500


def https_link(given: str) -> str:
    """The address, trimmed; empty when none was given. Raises Invalid for anything but a plain https address."""
    link = given.strip()
    if not link:
        return ""
    if len(link) > LINK_MOST:
        raise Invalid(
            f"A link has at most {LINK_MOST} characters; this one has {len(link):,}. Give a shorter one."
        )
    if any(not sign.isprintable() or sign.isspace() or sign in '\\<>"' for sign in link):
        raise Invalid("A link has no spaces in it. Copy it from the address bar again.")
    try:
        parts = urlsplit(link)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        raise Invalid("This is no address. Copy it from the address bar again.") from None
    if parts.scheme.lower() != "https":
        raise Invalid("A link begins with https://.")
    if "." not in host.strip("."):
        raise Invalid("The link names no server, such as github.com.")
    if parts.username is not None or parts.password is not None:
        raise Invalid("Leave the user name and the password out of the link.")
    return link


def host_of(link: str) -> str:
    """The server that a checked link leads to, for those who want to know before they open it."""
    return urlsplit(link).hostname or ""
