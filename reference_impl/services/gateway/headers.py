"""Which headers pass the gateway, in either direction. Names are lower-case bytes, as ASGI has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reference_impl.shared import auth

Headers = list[tuple[bytes, bytes]]

# RFC 9110, 7.6.1: these concern one connection only.
HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding upgrade".split()
)
# What we say ourselves, so nobody outside may: who calls, from where, and on whose behalf.
_OURS = frozenset(
    b"host content-length authorization x-api-key x-forwarded-for x-forwarded-host x-forwarded-proto "
    b"x-real-ip forwarded x-request-timeout expect".split()
)
_INTERNAL = b"x-meridian-"
ANONYMOUS = auth.ANONYMOUS_HEADER.lower().encode()
TIMEOUT = b"x-request-timeout"


def first(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    """The first value of a header."""
    return next((value for key, value in headers if key == name), None)


def to_upstream(
    headers: Headers,
    *,
    token: str | None,
    address: str,
    host: str,
    body: bytes,
    outgoing: Mapping[str, str],
) -> Headers:
    """What a service is told: the caller's headers without those that are ours to say, and ours."""
    named = _named_in_connection(headers)
    told = {name.lower().encode() for name in outgoing}
    passed = [
        (name, value)
        for name, value in headers
        if name not in _OURS
        and name not in told
        and name not in HOP_BY_HOP
        and not name.startswith(_INTERNAL)
        and name not in named
    ]
    passed += [
        (b"host", host.encode()),
        (b"x-forwarded-for", address.encode()),
    ]
    passed += [(name.lower().encode(), value.encode()) for name, value in outgoing.items()]
    if body:
        passed.append((b"content-length", b"%d" % len(body)))
    passed.append((b"authorization", b"Bearer " + token.encode()) if token else (ANONYMOUS, b"1"))
    return passed


def to_caller(
    headers: Iterable[tuple[bytes, bytes]], *, service_prefix: bytes, public_prefix: bytes
) -> Headers:
    """What a caller is told: without what concerns only us, and with links that lead through the gateway."""
    passed = []
    for name, value in headers:
        name = name.lower()
        if (
            name in HOP_BY_HOP
            or name in (b"server", b"date", b"x-correlation-id")
            or name.startswith(_INTERNAL)
        ):
            continue
        if name == b"link":
            value = value.replace(b"</v", b"</api/v")
        elif name == b"location" and value.startswith(service_prefix + b"/"):
            value = public_prefix + value[len(service_prefix) :]
        passed.append((name, value))
    passed.append((b"x-content-type-options", b"nosniff"))
    return passed


def _named_in_connection(headers: Headers) -> frozenset[bytes]:
    value = first(headers, b"connection")
    return frozenset(part.strip().lower() for part in value.split(b",")) if value else frozenset()
