"""What the checks of rate-limiter share: models of the limiters, traces of requests, and the keys from outside.

Times are multiples of an eighth of a second and rates powers of two, so that both sides reckon exactly.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from labs.checks import LabUnderTest, require
from labs.given_cells import given_dict, given_list, require_commands
from labs.names import Names

DAY = 86_400
MOST_COMMANDS = 6
"""After each of the first so many commands a limiter is stopped once."""
CLOSE = 0.001


class Caller:
    """Calls the learner's limiters for hidden keys."""

    def __init__(self, lab: LabUnderTest) -> None:
        self.lab = lab
        self._names = Names(lab.random)

    def key(self) -> str:
        """A key that was not used before."""
        return self._names.new()

    def begin(self) -> float:
        """Some time of day."""
        return float(self.lab.random.randint(1_700_000_000, 1_900_000_000))

    def trace(self, function: str, calls: list[list[Any]]) -> list[Any]:
        """What the limiter answers to these calls, one after the other."""
        return given_list(self.lab, "ask_all", function, calls, count=len(calls), timeout=30.0)

    def interrupted(self, after: int, times: int, function: str, *arguments: Any) -> dict[str, Any]:
        """One call that stands still after some commands, while `times` others make it, too. `answer`, `others`, `commands`."""
        names, asked = ("answer", "others", "commands"), (after, times, function, *arguments)
        told = given_dict(self.lab, "ask_interrupted", *asked, names=names, timeout=15.0)
        require_commands(told, function)
        return told

    def at_once(self, function: str, *arguments: Any, calls: int) -> list[Any]:
        """So many calls from many processes' threads at the same time; what each answered."""
        outcomes = self.lab.call_many("ask", [[function, *arguments]] * calls, workers=16, timeout=30.0)
        for outcome in outcomes:
            require(
                outcome.error is None,
                f"Many processes called {function} at once, and it raised {outcome.error}.",
            )
        return [outcome.value for outcome in outcomes]

    def left_ms(self, key: str) -> int:
        """How long the key lives, as PTTL says it."""
        with self.lab.redis() as client:
            return int(client.pttl(key))

    def entries(self, key: str) -> int:
        """How many things are kept in it."""
        with self.lab.redis() as client:
            kind = str(client.type(key))
            sizes = {
                "zset": client.zcard,
                "list": client.llen,
                "set": client.scard,
                "hash": client.hlen,
                "stream": client.xlen,
            }
            return int(sizes[kind](key)) if kind in sizes else int(client.exists(key))


def triple(answer: Any, names: str) -> tuple[bool, float, float]:
    """An answer of three parts. Fails the task when it is none."""
    require(
        isinstance(answer, list)
        and len(answer) == 3
        and isinstance(answer[0], bool)
        and all(isinstance(one, int | float) and not isinstance(one, bool) for one in answer[1:]),
        f"The answer must be [{names}]: True or False, and two numbers.",
    )
    return answer[0], float(answer[1]), float(answer[2])


@dataclass
class WindowModel:
    """A sliding window, exactly."""

    most: int
    seconds: float
    times: list[float] = field(default_factory=list)

    def ask(self, now: float) -> tuple[bool, float, float]:
        """allowed, remaining, wait."""
        self.times = [time for time in self.times if time > now - self.seconds]
        if len(self.times) < self.most:
            self.times.append(now)
            return True, self.most - len(self.times), 0.0
        return False, 0, min(self.times) + self.seconds - now


@dataclass
class BucketModel:
    """A token bucket, exactly."""

    rate: float
    burst: float
    tokens: float = -1.0
    at: float = 0.0

    def ask(self, now: float, cost: float) -> tuple[bool, float, float]:
        """allowed, tokens, wait."""
        if self.tokens < 0:
            self.tokens, self.at = self.burst, now
        self.tokens = min(self.burst, self.tokens + max(0.0, now - self.at) * self.rate)
        self.at = max(self.at, now)
        if self.tokens >= cost:
            self.tokens -= cost
            return True, self.tokens, 0.0
        return False, self.tokens, (cost - self.tokens) / self.rate


@dataclass
class PlanModel:
    """A bucket and a quota for the day, taken from together or not at all."""

    tokens: float = -1.0
    at: float = 0.0
    day: int = -1
    used: int = 0

    def ask(self, plan: dict[str, Any], now: float) -> dict[str, Any]:
        """As admit answers, with `waits` in place of `wait`: who is behind may count from the latest time or by his own clock.

        `late` is how far the caller's clock is behind, `yesterday` whether it has not come to the day that has begun.
        """
        if self.tokens < 0:
            self.tokens, self.at = plan["burst"], now
        if int(now // DAY) > self.day:
            self.day, self.used = int(now // DAY), 0
        self.tokens = min(plan["burst"], self.tokens + max(0.0, now - self.at) * plan["rate"])
        self.at = max(self.at, now)
        late = self.at - now
        limit, waits = None, [0.0]
        if self.used >= plan["daily"]:
            limit, waits = "daily", [DAY - now % DAY, DAY - self.at % DAY]
        elif self.tokens < 1:
            wait = (1 - self.tokens) / plan["rate"]
            limit, waits = "burst", [wait, wait + late]
        else:
            self.tokens, self.used = self.tokens - 1, self.used + 1
        return {
            "allowed": limit is None,
            "limit": limit,
            "tokens": self.tokens,
            "used": self.used,
            "waits": waits,
            "late": late,
            "yesterday": int(now // DAY) < self.day,
        }


def named_limits(value: Any) -> dict[str, dict[str, int]] | None:
    """`"burst";q=10;w=5, "daily";q=100;w=86400` as a dictionary in its order; None if it is not of this form."""
    if not isinstance(value, str):
        return None
    found: dict[str, dict[str, int]] = {}
    for part in value.split(","):
        name, *parameters = (one.strip() for one in part.split(";"))
        if not re.fullmatch(r'"[a-z]+"', name):
            return None
        pairs = [re.fullmatch(r"([a-z]+)=(\d{1,15})", one) for one in parameters]
        if not all(pairs):
            return None
        found[name.strip('"')] = {pair[1]: int(pair[2]) for pair in pairs if pair}
    return found
