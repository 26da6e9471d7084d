"""The check of a task whose answer is a dictionary: for each question one of the answers that the notebook lists."""

from __future__ import annotations

from collections.abc import Mapping

from labs.checks import LabUnderTest, require

NAME = "choices"
"""What the notebook calls the dictionary."""


def require_choices(
    lab: LabUnderTest, facts: Mapping[str, str], advice: Mapping[str, str] | str, *, exact: bool = False
) -> None:
    """Require that the learner chose the true answer of each entry; what else stands in the dictionary does not count.

    `advice` follows the count of those that hold: a sentence, or for each entry the place to look at again, of which the first
    that does not hold is told. Capitals and spaces around an answer don't count unless it is to be `exact`.
    """
    choices = lab.value(NAME)
    require(isinstance(choices, dict), f"`{NAME}` must be a dictionary with an answer for each entry.")
    assert isinstance(choices, dict)
    missing = [name for name in facts if not isinstance(choices.get(name), str)]
    require(not missing, f"`{NAME}` has no answer for {', '.join(missing)}.")

    def holds(name: str) -> bool:
        chosen = str(choices[name])
        return chosen == facts[name] if exact else chosen.strip().lower() == facts[name].lower()

    wrong = [name for name in facts if not holds(name)]
    if wrong:
        told = advice if isinstance(advice, str) else f"Look again at {advice[wrong[0]]}."
        require(False, f"{len(facts) - len(wrong)} of {len(facts)} choices hold. {told}")
