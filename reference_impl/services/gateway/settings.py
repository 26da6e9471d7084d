"""The gateway's settings."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from reference_impl.shared.settings import Section


class GatewaySettings(Section):
    """Each as `MERIDIAN_GATEWAY_<NAME>`."""

    section: ClassVar[str] = "gateway"

    trusted_proxies: Annotated[int, Field(ge=0, le=10)] = 0
    """How many proxies of ours stand in front: so many entries of X-Forwarded-For, from the right, are believed."""
    most_in_flight: Annotated[int, Field(ge=1, le=10_000)] = 400
    """Requests handled at once; what comes on top is told 503 at once, so that those inside are still answered in time."""
    largest_header_bytes: Annotated[int, Field(ge=1024, le=65_536)] = 16_384
    """All headers of a request together; more is told 431."""
    limit_window_seconds: Annotated[float, Field(gt=0, le=3600)] = 10.0
    """The window of the rate limits per user and per address."""
    limit_per_user: Annotated[int, Field(ge=1, le=100_000)] = 300
    """Requests of one signed-in user in a window."""
    limit_per_address: Annotated[int, Field(ge=1, le=100_000)] = 300
    """Requests without a token from one address in a window; many people may share an address."""
    limit_of_strict_routes: Annotated[int, Field(ge=1, le=100_000)] = 30
    """Sign-ins, registrations and password resets from one address in a window, whoever asks."""
    retry_budget: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Retries as a share of the requests to an upstream."""
    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    """How often one request is sent at most."""
    cache_bytes: Annotated[int, Field(ge=0, le=2**32)] = 33_554_432
    """Memory for the bodies of cached answers; 0 caches nothing."""
    api_key_seconds: Annotated[float, Field(ge=1, le=240)] = 60.0
    """How long a token for an API key is used before the key is looked at again: so long a revoked key still works."""
