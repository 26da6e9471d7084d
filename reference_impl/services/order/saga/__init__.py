"""How a checkout gets through services that share no database, in two variants with the same API, end states and invariants.

`orchestrated`    this service leads: it keeps in `sagas` whose answer it waits for, sends one command after the other, repeats
                  what nobody answered and, when a step fails for good, undoes the ones before it in reverse order
`choreographed`   nobody leads: each service knows which fact it answers with what, and the sequence stands in no single place

`replies` (what an answer means for the order) is the same for both. `machine` is the orchestrated variant's sequence as a
table, pure.
"""

from __future__ import annotations

from collections.abc import Mapping

from reference_impl.services.order.saga.base import Checkout, Terms
from reference_impl.services.order.saga.choreography import Choreography
from reference_impl.services.order.saga.orchestrator import Orchestrator
from reference_impl.shared.outbox import Outbox
from reference_impl.shared.settings import Saga

VARIANTS: Mapping[Saga, type[Checkout]] = {
    Saga.ORCHESTRATED: Orchestrator,
    Saga.CHOREOGRAPHED: Choreography,
}


def checkout(variant: Saga, terms: Terms, outbox: Outbox) -> Checkout:
    """The variant that was chosen by MERIDIAN_SAGA."""
    return VARIANTS[variant](terms, outbox)


__all__ = ["Checkout", "Terms", "checkout"]
