"""How the checks of go-http-service come by what happened, and what they ask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from labs.checks import CheckFailed, LabUnderTest, require
from labs.go_bench import NETWORK, QUIET, Bench, Trace, told_race

CONTENT = Path(__file__).parent
HANDLERS = (
    QUIET
    | NETWORK
    | {"crypto/rand", "encoding/base32", "encoding/base64", "encoding/binary", "encoding/hex", "encoding/json"}
    | {"html", "log/slog", "mime", "net/mail", "regexp", "runtime/debug", "uuid"}
)  # fmt: skip
CONDUCT_SECONDS = 120.0

Answer = dict[str, Any]

BROKEN = {
    "created-is-ok": "answers 200 when a user was made",
    "no-location": "does not say where the user that was made can be found (Location)",
    "unchecked": "takes whatever name and email it is given",
    "first-fault": "tells only the first of two faults",
    "lenient": "takes a body with a field that does not exist",
    "tells-too-much": "tells the caller what the store's error says",
    "gone-is-null": "answers 200 for a user that does not exist",
    "one-page": "gives the same page of the list whatever comes behind `after=`",
}
"""Implementation of `judge/impls.go` → what is wrong with it."""
CORRECT = ("compact", "indented")


def conduct(lab: LabUnderTest, count: int) -> dict[str, Trace]:
    """What came of a service around the learner's Run that is signalled at work, by scene."""
    bench = Bench(lab, CONTENT)
    bench.take("serve/serve.go", HANDLERS)
    bench.compile_program("serve.go")
    script = (CONTENT / "judge" / "conduct.py").read_text(encoding="utf-8")
    done = bench.place.run(["python", "-I", "-c", script, bench.folder, str(count)], timeout=CONDUCT_SECONDS)
    try:
        seen = json.loads(done.output.rstrip().rsplit("\n", 1)[-1])
        scenes = {name: dict(seen[name]) for name in ("drain", "grace", "broken", "halting")}
    except (ValueError, KeyError, TypeError):
        raise CheckFailed(
            "The service could not be tried: something ended the program that asks and stops it."
        ) from None
    for scene in scenes.values():
        require(not scene.get("race"), told_race(""))
        require(
            not scene.get("panic"),
            "The service ended by a panic: Run, or a goroutine that it started, panicked.",
        )
    # Who panics at once does not listen either, in other scenes.
    for scene in scenes.values():
        require(
            "lost" not in scene, "The service did not listen: Run must serve on the listener that it is given."
        )
    return scenes


def fields(answer: Answer) -> Any:
    """The JSON in an answer's body; None when there is none."""
    try:
        return json.loads(answer["body"])
    except ValueError:
        return None


def require_problem(answer: Answer, status: int, when: str) -> None:
    """Fail the task unless this is a problem of that status."""
    require(
        answer["status"] == status,
        f"{when}: the status is {answer['status']}, which does not say so. Look it up in the table of refusals.",
    )
    told = fields(answer)
    require(
        answer["type"].split(";")[0].strip() == "application/problem+json" and isinstance(told, dict),
        f"{when}: the answer is not application/problem+json. `problem` writes one; nothing else has to write a refusal.",
    )
    require(
        told.get("status") == status and isinstance(told.get("title"), str) and told["title"],
        f"{when}: the problem needs a title, and the status in its body that it has in its head.",
    )
