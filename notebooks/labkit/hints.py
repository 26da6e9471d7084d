"""The hints of a lab's tasks on a laptop, one step at a time."""

from __future__ import annotations

import json
import subprocess

from labkit import checkout, display
from labkit.svg import escape

SECONDS = 60.0


class NoHint(Exception):
    """There is nothing to show; the message says what to do."""


_shown: dict[tuple[str, str], int] = {}
"""How many hints of a task were shown, by lab and task."""


def show_next(slug: str, task: str) -> None:
    """Show the next hint of a task; after the last one, all of them again. Raises NoHint."""
    step = _shown.get((slug, task), 0) + 1
    hint = _ask(slug, task, step)
    _shown[slug, task] = 0 if step >= hint["steps"] else step
    title = f"{hint['title']}: hint {step} of {hint['steps']}"
    more = "" if step >= hint["steps"] else f'lab.hint("{task}") once more shows the next one.'
    paragraphs = "".join(f"<p>{escape(each)}</p>" for each in (hint["text"], more) if each)
    display.show(
        f'<div style="max-width:60em"><strong>{escape(title)}</strong>{paragraphs}</div>',
        "\n".join(filter(None, [title, hint["text"], more])),
    )


def _ask(slug: str, task: str, step: int) -> dict:  # type: ignore[type-arg]
    root = checkout.checkout()
    if root is None:
        raise NoHint(
            "Hints come from a checkout of the repository: open the notebook in its folder notebooks/."
        )
    command = [checkout.python(root), "-m", "labs", "hint", slug, task, "--step", str(step), "--json"]
    try:
        done = subprocess.run(command, cwd=root, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise NoHint(f"The hint did not come within {SECONDS:g} s: try again.") from None
    if done.returncode != 0:
        raise NoHint(done.stderr.decode(errors="replace").strip()[-2_000:])
    return dict(json.loads(done.stdout))
