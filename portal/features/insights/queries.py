"""What the pages on questions read: sums, never answers. They grow with the questions and their versions only."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Integer, cast, func, select
from sqlalchemy.orm import Session, aliased

from portal.models import CountOf, ItemCount, ItemTally, QuestionReport, User
from question_bank.statistics import OptionCount, Tally

REPORTS_MOST = 200
CLOSED_MOST = 20

_SUMS = [func.sum(getattr(ItemTally, name)).label(name) for name in Tally.__slots__]


@dataclass(frozen=True)
class ReportLine:
    """One report with the names of who made and who closed it."""

    report: QuestionReport
    learner: str
    closer: str


def tallies(db: Session) -> dict[tuple[str, str], Tally]:
    """(question id, content hash) → the sums over all variants."""
    rows = db.execute(
        select(ItemTally.question_id, ItemTally.content_hash, *_SUMS).group_by(
            ItemTally.question_id, ItemTally.content_hash
        )
    )
    return {(row[0], row[1]): Tally(*row[2:]) for row in rows}


def tallies_of(db: Session, question_ids: tuple[str, ...]) -> dict[tuple[str, str, str], Tally]:
    """(question id, content hash, variant) → the sums, of these questions."""
    rows = db.execute(
        select(
            ItemTally.question_id,
            ItemTally.content_hash,
            ItemTally.variant,
            *(getattr(ItemTally, name) for name in Tally.__slots__),
        ).where(ItemTally.question_id.in_(question_ids))
    )
    return {(row[0], row[1], row[2]): Tally(*row[3:]) for row in rows}


def median_buckets(db: Session, versions: Collection[str]) -> dict[tuple[str, str], int]:
    """(question id, content hash) → the bucket in which the median of the answer times lies, for these hashes."""
    bucket = cast(ItemCount.key, Integer)
    buckets = (
        select(
            ItemCount.question_id,
            ItemCount.content_hash,
            bucket.label("bucket"),
            func.sum(ItemCount.count).label("count"),
        )
        .where(ItemCount.what == CountOf.SECONDS, ItemCount.content_hash.in_(versions))
        .group_by(ItemCount.question_id, ItemCount.content_hash, bucket)
    )
    one = buckets.subquery()
    where = (one.c.question_id, one.c.content_hash)
    running = select(
        *where,
        one.c.bucket,
        func.sum(one.c.count).over(partition_by=where, order_by=one.c.bucket).label("seen"),
        func.sum(one.c.count).over(partition_by=where).label("total"),
    ).subquery()
    rows = db.execute(
        select(running.c.question_id, running.c.content_hash, func.min(running.c.bucket))
        .where(2 * running.c.seen >= running.c.total)
        .group_by(running.c.question_id, running.c.content_hash)
    )
    return {(question, version_hash): int(found) for question, version_hash, found in rows}


def option_counts(db: Session, question_id: str, content_hash: str) -> dict[str, OptionCount]:
    """Key → how often it was chosen in this version, over all variants."""
    rows = db.execute(
        select(ItemCount.key, func.sum(ItemCount.count), func.sum(ItemCount.rested), func.sum(ItemCount.rest))
        .where(
            ItemCount.question_id == question_id,
            ItemCount.content_hash == content_hash,
            ItemCount.what == CountOf.OPTION,
        )
        .group_by(ItemCount.key)
    )
    return {key: OptionCount(key, int(chosen), int(rested), float(rest)) for key, chosen, rested, rest in rows}


def open_reports(db: Session) -> dict[str, int]:
    """Question id → how many reports nobody has closed."""
    rows = db.execute(
        select(QuestionReport.question_id, func.count())
        .where(QuestionReport.closed_at.is_(None))
        .group_by(QuestionReport.question_id)
    )
    return {question_id: count for question_id, count in rows}


def reports(db: Session, *, question_id: str | None = None, closed: bool = False) -> list[ReportLine]:
    """Open reports, oldest first; or the newest closed ones."""
    closer = aliased(User)
    wanted = (
        select(QuestionReport, User.display_name, closer.display_name)
        .join(User, User.id == QuestionReport.user_id)
        .outerjoin(closer, closer.id == QuestionReport.closed_by)
    )
    if question_id is not None:
        wanted = wanted.where(QuestionReport.question_id == question_id)
    if closed:
        wanted = wanted.where(QuestionReport.closed_at.is_not(None))
        wanted = wanted.order_by(QuestionReport.closed_at.desc()).limit(CLOSED_MOST)
    else:
        wanted = wanted.where(QuestionReport.closed_at.is_(None))
        wanted = wanted.order_by(QuestionReport.created_at, QuestionReport.id).limit(REPORTS_MOST)
    return [ReportLine(report, learner, by or "") for report, learner, by in db.execute(wanted)]


def report(db: Session, report_id: int) -> QuestionReport | None:
    """One report."""
    return db.get(QuestionReport, report_id)
