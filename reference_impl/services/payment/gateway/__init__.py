"""The payment gateway: somebody else's computer, which takes money and does not always answer.

`port` is what any gateway has to offer, `simulated` one that behaves like a real one on demand: it declines by card, hangs,
does what it was asked without the answer getting through, and tells of it by webhooks, signed, sometimes twice and in no
order (`webhooks`).
"""

from reference_impl.services.payment.gateway.port import Charge, ChargeState, OutcomeUnknown, PaymentGateway
from reference_impl.services.payment.gateway.simulated import SimulatedGateway

__all__ = ["Charge", "ChargeState", "OutcomeUnknown", "PaymentGateway", "SimulatedGateway"]
