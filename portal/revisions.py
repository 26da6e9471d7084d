"""Revisions: numbers in the database that tell whether what was made of its rows still holds.

Whoever writes through a session of `portal.database` raises, in the same transaction, the revision of each person whose
rows are touched (`User.revision`) and of each subject whose tables are (`SiteRevision`). So it is true in every process:
while a revision is the same, the rows are the same. Rows written past sessions (by hand, by a restored backup) are not
noticed: the web processes are to be restarted then.

It happens last, when the transaction commits: revisions are locked in one order and for a moment only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Delete,
    Insert,
    Result,
    Select,
    Table,
    Update,
    event,
    inspect,
    select,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute, ORMExecuteState, Session
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList

from portal.models import (
    ActivityWork,
    AuthoredQuestion,
    Base,
    HandIn,
    ItemCount,
    ItemTally,
    QuestionEvent,
    QuestionReport,
    QuestionRevision,
    ReviewComment,
    SiteRevision,
    Subject,
    User,
)

SUBJECT_OF: Mapping[str, Subject] = {
    model.__tablename__: subject
    for subject, models in {
        Subject.ANSWERS: (ItemTally, ItemCount),
        Subject.DRAFTS: (AuthoredQuestion, QuestionRevision, QuestionEvent, ReviewComment),
        Subject.HAND_INS: (ActivityWork, HandIn),
        Subject.REPORTS: (QuestionReport,),
    }.items()
    for model in models
}
"""Table → what its rows tell of many people. Names are seen to apart: they stand in a table with much else."""

AT_ONCE = 500
"""Ids in one statement."""
_TOUCHED = "touched"


@dataclass(frozen=True)
class Owner:
    """How a table's rows belong to people."""

    model: type[Base]
    column: InstrumentedAttribute[Any]
    """Of the model: the person, or the row of `parent` that belongs to the person."""
    parent: type[Base] | None = None

    @property
    def of_many(self) -> Select[int | None]:
        """The owners of all rows, one a row."""
        if self.parent is None:
            return select(self.column)
        return (
            select(_person(self.parent))
            .select_from(self.model)
            .join(self.parent, self.column == _key(self.parent))
        )


@cache
def owners() -> Mapping[str, Owner]:
    """Table → how its rows belong to people, for those whose rows do: by a column `user_id`, or by the row they are part of."""
    models = {mapper.class_.__tablename__: mapper.class_ for mapper in Base.registry.mappers}
    found = {User.__tablename__: Owner(User, User.id)}
    found |= {name: Owner(model, model.user_id) for name, model in models.items() if hasattr(model, "user_id")}
    for name, model in models.items():
        for key in inspect(model).local_table.foreign_keys:
            parent = found.get(key.column.table.name)
            if name not in found and parent is not None and parent.parent is None and parent.model is not User:
                found[name] = Owner(model, getattr(model, key.parent.key), parent.model)
    return found


@dataclass
class Touched:
    """What a transaction has written so far."""

    people: set[int] = field(default_factory=set)
    parents: dict[type[Base], set[int]] = field(default_factory=dict)
    """Rows of whose parts some were written: who owns them is looked up at the end."""
    subjects: set[Subject] = field(default_factory=set)
    everybody: bool = False


class RevisedSession(Session):
    """A session whose writes raise revisions."""

    @property
    def has_written(self) -> bool:
        """Whether anything was changed in this transaction, or is about to be."""
        return _TOUCHED in self.info or bool(self.new or self.dirty or self.deleted)


def _touched(session: Session) -> Touched:
    return session.info.setdefault(_TOUCHED, Touched())


@event.listens_for(RevisedSession, "after_flush")
def _note_objects(session: Session, _context: object) -> None:
    changed = [*session.new, *session.deleted, *(one for one in session.dirty if session.is_modified(one))]
    for one in changed:
        touched, table = _touched(session), one.__tablename__
        if table in SUBJECT_OF:
            touched.subjects.add(SUBJECT_OF[table])
        if isinstance(one, User) and inspect(one).attrs.display_name.history.has_changes():
            touched.subjects.add(Subject.PEOPLE)
        owner = owners().get(table)
        if owner is not None and (value := getattr(one, owner.column.key)) is not None:
            held = touched.people if owner.parent is None else touched.parents.setdefault(owner.parent, set())
            held.add(value)


@event.listens_for(RevisedSession, "do_orm_execute")
def _note_statement(state: ORMExecuteState) -> Result[Any] | None:
    statement = state.statement
    if not isinstance(statement, Insert | Update | Delete):
        return None
    assert isinstance(statement.table, Table)
    table = statement.table.name
    if table in SUBJECT_OF:
        _touched(state.session).subjects.add(SUBJECT_OF[table])
    owner = owners().get(table)
    if owner is None:
        _touched(state.session)
        return None
    if isinstance(statement, Insert):
        _note_inserted(state, owner, statement)
        return None
    if table == User.__tablename__:
        _touched(state.session).subjects.add(Subject.PEOPLE)
    if statement.whereclause is None:
        _touched(state.session).everybody = True
        return None
    found = list(state.session.scalars(owner.of_many.where(*_lasting(owner, statement.whereclause))))
    if found:
        _touched(state.session).people.update(one for one in found if one is not None)
    result = state.invoke_statement()
    if isinstance(result, CursorResult) and result.rowcount > len(found):
        # A row came to be meant between the two statements: whose, nobody knows.
        _touched(state.session).everybody = True
    return result


def _note_inserted(state: ORMExecuteState, owner: Owner, statement: Insert) -> None:
    rows: Iterable[Mapping[str, Any]]
    if state.parameters:
        rows = [state.parameters] if isinstance(state.parameters, Mapping) else state.parameters
    else:
        rows = [statement.compile(state.session.get_bind()).params]
    name, touched = owner.column.key, _touched(state.session)
    values = {row[key] for row in rows for key in row if key == name or key.startswith(f"{name}_m")}
    values.discard(None)
    if not values:
        touched.everybody = True
    held = touched.people if owner.parent is None else touched.parents.setdefault(owner.parent, set())
    held.update(values)


def _lasting(owner: Owner, condition: ColumnElement[bool]) -> list[ColumnElement[bool]]:
    """Of the conditions those on the row's identity, which nobody changes meanwhile; all of them when there is none such."""
    table = inspect(owner.model).local_table
    fixed = {column.name for column in table.primary_key} | {owner.column.key}
    parts: list[ColumnElement[bool]] = [
        part
        for part in _parts(condition)
        if isinstance(part, BinaryExpression)
        and part.operator in (operators.eq, operators.in_op)
        and getattr(part.left, "name", None) in fixed
    ]
    return parts or [condition]


def _parts(condition: ColumnElement[bool]) -> Iterator[ColumnElement[bool]]:
    if isinstance(condition, BooleanClauseList) and condition.operator is operators.and_:
        for clause in condition.clauses:
            yield from _parts(clause)
    else:
        yield condition


@event.listens_for(RevisedSession, "before_commit")
def _raise_revisions(session: Session) -> None:
    if session.in_nested_transaction():
        return
    session.flush()
    touched: Touched | None = session.info.pop(_TOUCHED, None)
    if touched is None:
        return
    connection = session.connection()
    for parent, ids in touched.parents.items():
        for some in _some(ids):
            touched.people.update(connection.scalars(select(_person(parent)).where(_key(parent).in_(some))))
    higher = update(User.__table__).values(revision=User.revision + 1)  # type: ignore[arg-type]
    if touched.everybody:
        connection.execute(higher)
    else:
        for some in _some(touched.people):
            if len(some) > 1:  # one after another, so that no two wait for each other
                connection.execute(select(User.id).where(User.id.in_(some)).order_by(User.id).with_for_update())
            connection.execute(higher.where(User.id.in_(some)))
    for subject in sorted(touched.subjects):
        row = update(SiteRevision.__table__).where(SiteRevision.subject == subject)  # type: ignore[arg-type]
        connection.execute(row.values(number=SiteRevision.number + 1))


@event.listens_for(RevisedSession, "after_rollback")
def _forget(session: Session) -> None:
    session.info.pop(_TOUCHED, None)


def _some(ids: Iterable[int]) -> Iterator[list[int]]:
    ordered = sorted(ids)
    for start in range(0, len(ordered), AT_ONCE):
        yield ordered[start : start + AT_ONCE]


def _person(model: type[Base]) -> InstrumentedAttribute[int]:
    return model.user_id  # type: ignore[attr-defined]


def _key(model: type[Base]) -> InstrumentedAttribute[int]:
    found: InstrumentedAttribute[int] = getattr(model, str(inspect(model).primary_key[0].key))
    return found
