"""Signed webhooks: only who knows the secret can have written the body, and not long ago.

The header is `t=<seconds since 1970>,v1=<hex HMAC-SHA256 of "<t>.<body>">`. The time is signed as well, so that a webhook
somebody has recorded can't be sent again later; within the tolerance the receiver's inbox sees to that.
"""

from __future__ import annotations

import hashlib
import hmac
import re

from reference_impl.shared.problems import Problem

HEADER = "Gateway-Signature"
_FORM = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})")


def sign(body: bytes, secret: str, at: float) -> str:
    """The header's value for this body, sent at this time (seconds since 1970)."""
    return f"t={int(at)},v1={_digest(body, secret, int(at))}"


def check(header: str, body: bytes, secret: str, *, at: float, tolerance_seconds: float) -> None:
    """Raise Problem 401 unless the body was signed with the secret, at about this time."""
    match = _FORM.fullmatch(header)
    # The digests are compared in constant time: how long it takes must not tell how much of a guess was right.
    if match is None or not hmac.compare_digest(match[2], _digest(body, secret, int(match[1]))):
        raise Problem(
            401, "bad-signature", "The signature is not valid", "It is not made of this body and our secret."
        )
    if abs(at - int(match[1])) > tolerance_seconds:
        detail = (
            f"It was signed more than {tolerance_seconds:g} s ago, or that far in the future; sign it anew."
        )
        raise Problem(401, "stale-signature", "The signature is too old", detail)


def _digest(body: bytes, secret: str, at: int) -> str:
    return hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
