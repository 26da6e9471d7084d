"""Which card tokens the simulated gateway declines, and why. Any other token is good.

A *soft* decline may turn out otherwise next time, a *hard* one is for ever: trying again annoys banks and costs fees.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Decline(NamedTuple):
    """Why a card is declined."""

    code: str
    final: bool


DECLINED: Mapping[str, Decline] = {
    "tok_declined": Decline("card_declined", final=False),
    "tok_insufficient_funds": Decline("insufficient_funds", final=False),
    "tok_do_not_honor": Decline("do_not_honor", final=False),
    "tok_expired": Decline("expired_card", final=True),
    "tok_stolen": Decline("stolen_card", final=True),
    "tok_fraud": Decline("suspected_fraud", final=True),
}
BY_FAULT = Decline("do_not_honor", final=False)
"""What the fault payment.decline answers, whatever the card."""
