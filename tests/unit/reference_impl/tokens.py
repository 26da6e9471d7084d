"""Keys and tokens for tests: a signer that plays the user service, honest or not."""

from __future__ import annotations

import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from reference_impl.shared import auth
from reference_impl.shared.jwks import ALGORITHM, FetchedKeys

SUBJECT = "5" * 32


class Signer:
    """One key pair, and tokens signed with it."""

    def __init__(self, key_id: str = "k1") -> None:
        self.key_id = key_id
        self.private = ec.generate_private_key(ec.SECP256R1())

    def jwk(self) -> dict[str, Any]:
        """The public half."""
        found: dict[str, Any] = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self.private.public_key()))
        return found | {"kid": self.key_id, "use": "sig", "alg": ALGORITHM}

    def claims(self, **changed: Any) -> dict[str, Any]:
        """What an honest token says; a claim changed to None is left out."""
        at = time.time()
        said = {
            "iss": auth.ISSUER,
            "aud": auth.AUDIENCE,
            "sub": SUBJECT,
            "iat": int(at),
            "nbf": int(at),
            "exp": int(at) + 300,
            "roles": ["customer"],
            "kind": "user",
        } | changed
        return {name: value for name, value in said.items() if value is not None}

    def token(self, headers: dict[str, Any] | None = None, **changed: Any) -> str:
        """A token; `headers` and claims may be changed."""
        header = {"kid": self.key_id, "typ": auth.TOKEN_TYPE} | (headers or {})
        return jwt.encode(self.claims(**changed), self.private, algorithm=ALGORITHM, headers=header)


class Published:
    """A JWKS endpoint that counts how often it was asked, and can be down."""

    def __init__(self, *signers: Signer) -> None:
        self.signers = list(signers)
        self.asked = 0
        self.down = False

    async def __call__(self) -> FetchedKeys:
        self.asked += 1
        if self.down:
            raise TimeoutError
        return FetchedKeys({"keys": [signer.jwk() for signer in self.signers]})
