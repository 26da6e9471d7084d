"""What the checks of distributed-lock share: calls with and without interruption, locks from outside, rivals in the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from labs.checks import LabUnderTest, require
from labs.given_cells import given_dict, require_commands
from labs.names import Names
from labs.rivals import against_rival
from sandboxes.interface import LearnerCodeError

LONG_MS = 60_000
"""A lease that does not run out while a check runs, however slow the machine."""
MOST_COMMANDS = 6
"""After each of the first so many commands a function is stopped once."""


@dataclass(frozen=True)
class Seen:
    """A lock from outside."""

    token: str | None
    left_ms: int
    """As PTTL says it: -1 for ever, -2 no key."""


class Depot:
    """Locks and trucks with hidden names."""

    def __init__(self, lab: LabUnderTest) -> None:
        self.lab = lab
        self._names = Names(lab.random)

    def name(self) -> str:
        """A name that was not used before."""
        return self._names.new()

    def token(self) -> str:
        """Somebody else's token."""
        return f"other-{self.lab.random.getrandbits(64):016x}"

    def look(self, name: str) -> Seen:
        """The lock as it is now."""
        with self.lab.redis() as client:
            kind = str(client.type(lock_key(name)))
            require(
                kind in ("string", "none"),
                "The lock is not a plain value: its key lock_key(name) must hold the token, as SET stores it.",
            )
            return Seen(client.get(lock_key(name)), int(client.pttl(lock_key(name))))

    def put(self, name: str, token: str, lease_ms: int) -> None:
        """Let somebody else hold the lock."""
        with self.lab.redis() as client:
            client.set(lock_key(name), token, px=lease_ms)

    def drop(self, name: str) -> None:
        """Let the lease run out."""
        with self.lab.redis() as client:
            client.delete(lock_key(name))

    def restart(self) -> None:
        """What a restart of a Redis that keeps nothing does."""
        with self.lab.redis() as client:
            client.flushall()
            client.script_flush()

    def call(self, function: str, *arguments: Any, timeout: float = 15.0) -> Any:
        """The result of a function, called with a client of its own, which it has to use."""
        return self._told(function, "on_own_client", function, *arguments, timeout=timeout)["result"]

    def interrupted(self, after: int, event: list[Any], function: str, *arguments: Any) -> dict[str, Any]:
        """Call it; after that many commands the event happens. `result`, `died`, `commands`, `happened`."""
        names = ("died", "happened")
        return self._told(function, "interrupted", after, event, function, *arguments, names=names)

    def _told(
        self, function: str, given: str, *arguments: Any, names: tuple[str, ...] = (), timeout: float = 15.0
    ) -> dict[str, Any]:
        with knows_scripts(function):
            told = given_dict(
                self.lab, given, *arguments, names=("result", "commands", *names), timeout=timeout
            )
        require_commands(told, function)
        return told


@contextmanager
def knows_scripts(function: str, where: str = "") -> Iterator[None]:
    """Say so when the learner's function calls a script that Redis has forgotten."""
    try:
        yield
    except LearnerCodeError as error:
        require(
            error.name != "NoScriptError",
            f"{function} raised NoScriptError: Redis does not know the script that it calls by its hash. A restart of Redis "
            f"forgets scripts, so the script's text must be sent again then.{where}",
        )
        raise


def lock_key(name: str) -> str:
    """As the notebook says."""
    return f"lock:{{{name}}}"


def fence_key(name: str) -> str:
    """As the notebook says."""
    return f"fence:{{{name}}}"


class Manifests:
    """Hidden trucks in the learner's database."""

    def __init__(self, lab: LabUnderTest) -> None:
        self.lab = lab
        self._names = Names(lab.random)

    def truck(self, fence: int = 0) -> tuple[str, list[str]]:
        """A truck that a holder with this number opened last, and its parcels."""
        name, parcels = self._names.new(), self.parcels()
        with self.lab.sql() as connection:
            connection.execute("INSERT INTO manifests VALUES (%s, %s, %s)", [name, parcels, fence])
        return name, parcels

    def parcels(self) -> list[str]:
        """Some parcels, in no order."""
        return [f"parcel-{self.lab.random.getrandbits(32):08x}" for _ in range(self.lab.random.randint(2, 5))]

    def number(self) -> int:
        """A number of a holder, with room below it."""
        return self.lab.random.randint(1_000, 1_000_000_000_000_000)

    def on(self, truck: str) -> list[str] | None:
        """What is on the truck now; None when there is no such truck."""
        with self.lab.sql() as connection:
            row = connection.execute("SELECT parcels FROM manifests WHERE truck = %s", [truck]).fetchone()
        return None if row is None else list(row[0])

    def fence(self, truck: str) -> int | None:
        """The number that the storage has for the truck; None when there is no such truck."""
        with self.lab.sql() as connection:
            row = connection.execute("SELECT fence FROM manifests WHERE truck = %s", [truck]).fetchone()
        return None if row is None else row[0]

    def open(self, truck: str, number: int) -> Any:
        """What open_manifest answers."""
        answer = self.lab.call("on_own_connection", "open_manifest", truck, number, timeout=15.0)
        require(
            answer is None or isinstance(answer, list),
            "open_manifest must return a list of parcels, or None.",
        )
        return answer

    def save(self, truck: str, parcels: list[str], number: int) -> bool:
        """What save_manifest answers."""
        answer = self.lab.call("on_own_connection", "save_manifest", truck, parcels, number, timeout=15.0)
        require(isinstance(answer, bool), "save_manifest must return True or False.")
        return bool(answer)

    def while_rival_saves(self, truck: str, parcels: list[str], call: Callable[[], Any]) -> Any:
        """Make the call while the last holder has saved and not committed; it commits once the call waits."""
        return against_rival(
            self.lab,
            lambda rival: rival.execute("UPDATE manifests SET parcels = %s WHERE truck = %s", [parcels, truck]),
            call,
        ).result

    def while_rival_opens(self, truck: str, number: int, call: Callable[[], Any]) -> Any:
        """Make the call while a rival has opened the truck and not committed; it commits once the call waits."""
        return against_rival(
            self.lab,
            lambda rival: rival.execute("UPDATE manifests SET fence = %s WHERE truck = %s", [number, truck]),
            call,
        ).result
