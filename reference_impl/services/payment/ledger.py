"""The double-entry ledger: where every cent came from and went to. Each entry adds up to zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from reference_impl.services.payment.models import Account, EntryKind, JournalEntry, Payment, Posting
from reference_impl.shared.database import table_of
from reference_impl.shared.events import new_id, now

RULES: Mapping[EntryKind, tuple[Account, Account]] = {
    EntryKind.SALE: (Account.CUSTOMER_RECEIVABLE, Account.REVENUE),
    EntryKind.CAPTURE: (Account.GATEWAY_CLEARING, Account.CUSTOMER_RECEIVABLE),
    EntryKind.REFUND: (Account.REFUNDS, Account.GATEWAY_CLEARING),
}
"""Why money moved → the account that is debited, and the one that is credited, by the whole amount."""


class Unbalanced(Exception):
    """Postings that don't add up to zero: a bug, found before it is written."""


@dataclass(frozen=True)
class Balance:
    """What stands on one account in one currency."""

    account: Account
    currency: str
    cents: int


def book(session: Session, payment: Payment, *kinds: EntryKind) -> None:
    """Write what happened to this payment; an amount of zero moves nothing."""
    if payment.amount_cents == 0 or not kinds:
        return
    sides = {kind: RULES[kind] for kind in kinds}
    amount = payment.amount_cents
    post(session, payment, {kind: {debit: amount, credit: -amount} for kind, (debit, credit) in sides.items()})


def post(session: Session, payment: Payment, amounts: Mapping[EntryKind, Mapping[Account, int]]) -> None:
    """Write entries, an amount an account. Raises Unbalanced."""
    entries: list[dict[str, Any]] = []
    postings: list[dict[str, Any]] = []
    for kind, accounts in amounts.items():
        if sum(accounts.values()) != 0:
            raise Unbalanced(f"{kind} of payment {payment.key}: {dict(accounts)}")
        entry_id = new_id()
        entries.append(
            {"id": entry_id, "payment_number": payment.number, "kind": kind, "postings": len(accounts)}
        )
        postings += [
            {"entry_id": entry_id, "account": account, "amount_cents": cents, "currency": payment.currency}
            for account, cents in accounts.items()
        ]
    at = now()
    session.execute(insert(table_of(JournalEntry)), [entry | {"occurred_at": at} for entry in entries])
    session.execute(insert(table_of(Posting)), postings)


def balances(session: Session) -> list[Balance]:
    """What stands on each account."""
    query = (
        select(Posting.account, Posting.currency, func.sum(Posting.amount_cents))
        .group_by(Posting.account, Posting.currency)
        .order_by(Posting.account, Posting.currency)
    )
    return [Balance(account, currency, int(cents)) for account, currency, cents in session.execute(query)]


def unbalanced_entries(session: Session) -> list[str]:
    """Entries that don't add up or lack postings: there should never be one."""
    query = (
        select(JournalEntry.id)
        .outerjoin(Posting, Posting.entry_id == JournalEntry.id)
        .group_by(JournalEntry.id, JournalEntry.postings)
        .having(
            (func.coalesce(func.sum(Posting.amount_cents), 0) != 0)
            | (func.count(Posting.id) != JournalEntry.postings)
        )
        .limit(100)
    )
    return list(session.scalars(query))
