"""How the checks of go-worker-pool come by what happened."""

from __future__ import annotations

from pathlib import Path

from labs.checks import LabUnderTest, require
from labs.go_bench import Trace

CONTENT = Path(__file__).parent

BROKEN = {
    "unordered": "returns the results in the order in which the calls end",
    "unbounded": "starts all calls at once, whatever the limit",
    "one-by-one": "makes one call at a time, whatever the limit",
    "silent": "returns no error when a call fails",
    "goes-on": "calls fn for every remaining item after one has failed",
    "deaf": "takes no notice when the caller's context is cancelled",
    "leaves": "leaves goroutines behind when a call fails",
}
"""Implementation of `judge/impls.go` → what is wrong with it."""
CORRECT = ("workers", "semaphore")


def words(lab: LabUnderTest, count: int) -> list[str]:
    """Words that nobody knows."""
    return [f"{lab.random.getrandbits(24):06x}" for _ in range(count)]


def _totals(files: dict[str, str]) -> dict[str, int]:
    """What Files counts in these files, but for `seen`."""
    texts = files.values()
    return {
        "files": len(texts),
        "bytes": sum(len(text.encode()) for text in texts),
        "lines": sum(text.count("\n") for text in texts),
        "words": sum(len(text.split()) for text in texts),
    }


def require_counted(one: Trace, files: dict[str, str]) -> None:
    """Fail the task unless a total is that of these files."""
    wanted = _totals(files)
    seen: dict[str, int] = {}
    for word in " ".join(files.values()).split():
        seen[word] = seen.get(word, 0) + 1
    require(
        one["files"] >= wanted["files"],
        f"Files is {one['files']}, and {wanted['files']} files could be read to their end. Is one that is named twice counted "
        "twice? And does your reader give up at a long line (bufio.Scanner: token too long)?",
    )
    require(
        one["files"] == wanted["files"],
        "Files is wrong: a file that could not be read to its end is not counted.",
    )
    require(
        one["bytes"] >= wanted["bytes"],
        f"Bytes is {one['bytes']:,}, and there are more in these files. Are the newlines counted? And what does your reader do "
        "with a line of a hundred thousand characters?",
    )
    require(
        one["bytes"] == wanted["bytes"],
        f"Bytes is {one['bytes']:,}, and there are fewer in the files that could be read to their end. Does your reader "
        "put a newline behind a last line that has none?",
    )
    require(
        one["lines"] == wanted["lines"],
        "Lines is wrong: a line ends with a newline; what follows the last one is none.",
    )
    require(
        one["words"] == wanted["words"],
        "Words is wrong: words are what stands between white space.",
    )
    require(one["seen"] == seen, "Seen is wrong: how often each word occurs, in all files together.")


def require_nothing_beyond(one: Trace, files: dict[str, str]) -> None:
    """Fail the task when a total holds more than these files, of a set in which one more failed half-way."""
    require(
        all(one[what] <= most for what, most in _totals(files).items()),
        "Reading a file failed in the middle, and what had been read of it is in the total: a file counts when it was "
        "read to its end.",
    )
