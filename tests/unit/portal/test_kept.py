"""What is kept has a bound, and is given to nobody else."""

from __future__ import annotations

from sqlalchemy.orm import Session

from portal.database import Database
from portal.kept import Store, kept, open_scope
from portal.models import QuestionNote, User
from tests.factories import users


def test_what_was_used_longest_ago_makes_room() -> None:
    store = Store(1_000)
    for name in "abcd":
        store.put(name, name, 250)
    assert store.get("a") == "a"
    store.put("e", "e", 250)
    assert [store.get(name) for name in "abcde"] == ["a", None, "c", "d", "e"]
    assert store.bytes == 1_000


def test_a_value_is_weighed_once_and_a_huge_one_is_not_kept() -> None:
    store = Store(1_000)
    store.put("a", 1, 200)
    store.put("a", 2, 100)
    store.put("b", 3, 251)
    assert (store.get("a"), store.get("b"), store.bytes, len(store)) == (2, None, 100, 1)
    store.clear()
    assert (store.get("a"), store.bytes) == (None, 0)


def test_nothing_is_kept_where_nothing_may_be() -> None:
    store = Store(0)
    store.put("a", 1, 1)
    assert store.get("a") is None


def made(db: Session, user_id: int, value: str) -> str:
    """What is given when `value` would be made now."""
    return kept(db, user_id, "name", lambda: value, len)


def test_a_value_stays_until_the_person_or_the_content_changes(database: Database, db: Session) -> None:
    store, ann, bob = Store(10_000), users.user(db), users.user(db)
    db.commit()

    def seen(user: User, value: str, *, serial: int = 1, of: User | None = None) -> str:
        with database.session() as fresh:
            found = fresh.get(User, user.id)
            assert found is not None
            open_scope(fresh, store, found, serial)
            return made(fresh, (of or user).id, value)

    assert [seen(ann, "1"), seen(ann, "2"), seen(bob, "3")] == ["1", "1", "3"]
    assert seen(bob, "4", of=ann) == "4", "only the person's own rows are known to be as they were"
    assert [seen(ann, "5", serial=2), seen(ann, "6", serial=2)] == ["5", "5"]
    db.add(QuestionNote(user_id=ann.id, question_id="q", bookmarked=True, text=""))
    db.commit()
    assert [seen(ann, "7"), seen(bob, "8")] == ["7", "3"]


def test_nothing_is_kept_of_what_is_not_committed(database: Database, db: Session) -> None:
    store, ann = Store(10_000), users.user(db)
    db.commit()
    with database.session() as fresh:
        found = fresh.get(User, ann.id)
        assert found is not None
        assert made(fresh, ann.id, "no scope") == "no scope"
        open_scope(fresh, store, found, 1)
        fresh.add(QuestionNote(user_id=ann.id, question_id="q", bookmarked=True, text=""))
        assert made(fresh, ann.id, "unwritten") == "unwritten"
        fresh.flush()
        assert made(fresh, ann.id, "uncommitted") == "uncommitted"
    assert len(store) == 0
