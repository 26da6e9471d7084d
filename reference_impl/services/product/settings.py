"""The product service's settings."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AwareDatetime, Field

from reference_impl.shared.settings import Section


class ProductSettings(Section):
    """Each as `MERIDIAN_PRODUCT_<NAME>`."""

    section = "product"

    cache_seconds: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """How long a product may be read from the cache. So old may one be whose invalidation was lost."""
    v1_deprecated_at: AwareDatetime = datetime(2026, 1, 1, tzinfo=UTC)
    """Since when v1 of the API is not for new clients."""
    v1_sunset_at: AwareDatetime = datetime(2027, 7, 1, tzinfo=UTC)
    """When v1 will stop answering."""
