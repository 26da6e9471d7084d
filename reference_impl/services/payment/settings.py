"""The payment service's own settings."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from reference_impl.shared.settings import Section


class Webhooks(StrEnum):
    """Of what the simulated gateway tells by webhook."""

    UNANSWERED = "unanswered"
    """Of what its answer got lost for."""
    ALL = "all"


class PaymentSettings(Section):
    """Each is the variable `MERIDIAN_PAYMENT_<NAME>`."""

    section: ClassVar[str] = "payment"

    ask_again: Annotated[float, Field(gt=0, le=60)] = 0.5
    """Seconds after which the gateway is asked what became of a call without an answer; each time twice as long."""
    webhook_secret: Annotated[str, Field(min_length=16, max_length=200)] = "meridian-development-secret"  # noqa: S105 - a default for one machine
    """What the gateway signs its webhooks with. Set your own wherever others reach the service."""
    webhook_tolerance: Annotated[float, Field(gt=0, le=3_600)] = 300.0
    """How old, in seconds, a webhook's signature may be."""
    webhooks: Webhooks = Webhooks.UNANSWERED
    """Of what the simulated gateway tells by webhook: unanswered or all."""
