"""The order service's own settings."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from reference_impl.shared.settings import Section


class OrderSettings(Section):
    """Each is the variable `MERIDIAN_ORDER_<NAME>`."""

    section: ClassVar[str] = "order"

    snapshot_every: Annotated[int, Field(ge=2, le=10_000)] = 20
    """Facts between two snapshots of an order; most orders have fewer than ten."""
    step_timeout: Annotated[float, Field(gt=0, le=3_600)] = 15.0
    """Seconds after which a step of the saga that nobody answered is sent again."""
    step_tries: Annotated[int, Field(ge=1, le=100)] = 8
    """How often a payment step is sent before the saga gives up and takes the way back."""

    @property
    def payment_timeout(self) -> float:
        """Seconds after which a payment that nobody answered is given up."""
        return self.step_timeout * self.step_tries
