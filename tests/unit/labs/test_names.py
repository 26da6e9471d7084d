"""Names of hidden things."""

from __future__ import annotations

import random
import re

from labs.names import Names


def test_names_never_meet_also_those_of_another_maker() -> None:
    source = random.Random(1)
    made = [maker.new() for maker in (Names(source), Names(source)) for _ in range(50)]
    assert len(set(made)) == len(made)
    assert all(re.fullmatch(r"[a-z]\d+-[0-9a-f]{10}", name) for name in made)


def test_the_same_attempt_gets_the_same_names() -> None:
    one, other = (Names(random.Random("7:reserve")) for _ in range(2))
    assert [one.new() for _ in range(5)] == [other.new() for _ in range(5)]


def test_the_sequence_of_names_is_not_that_of_their_making() -> None:
    names = Names(random.Random(2))
    made = [names.new() for _ in range(9)]
    assert made not in (sorted(made), sorted(made, reverse=True))
