"""Access tokens: what the user service says of somebody, for a few minutes, for everybody to verify without asking."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

import jwt

from reference_impl.services.user.keys import SigningKeys
from reference_impl.shared.auth import AUDIENCE, ISSUER, TOKEN_TYPE, Kind
from reference_impl.shared.events import new_id, now
from reference_impl.shared.jwks import ALGORITHM


@dataclass(frozen=True)
class AccessTokens:
    """Issues tokens by RFC 9068."""

    keys: SigningKeys
    seconds: int
    clock: Callable[[], datetime] = now

    def issue(
        self,
        user_id: str,
        roles: Collection[str],
        *,
        kind: Kind = Kind.USER,
        scopes: Collection[str] = (),
        session: str = "",
    ) -> str:
        """A signed token. `session` is the sign-in that it comes from, for logs."""
        signer = self.keys.signer()
        issued = int(self.clock().timestamp())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": user_id,
            "iat": issued,
            "nbf": issued,
            "exp": issued + self.seconds,
            "jti": new_id(),
            "roles": sorted(roles),
            "kind": kind.value,
        }
        if scopes:
            claims["scope"] = " ".join(sorted(scopes))
        if session:
            claims["sid"] = session
        return jwt.encode(
            claims, signer.private, algorithm=ALGORITHM, headers={"kid": signer.id, "typ": TOKEN_TYPE}
        )
