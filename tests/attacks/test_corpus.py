"""The corpus itself: large enough, one file an attack, and malformed files are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.attacks.corpus import FOLDERS, ROOT, MalformedAttack, load, read
from tests.attacks.seen import secrets_in, what_acts
from tests.attacks.test_attacks import SECRETS

LEAST = {"forge": 15, "read": 8, "exhaust": 10, "escape": 8, "reach": 5, "confuse": 10}


def test_every_class_is_there_and_no_sentence_twice() -> None:
    corpus = load()
    assert len(corpus) >= 60
    for folder, least in LEAST.items():
        assert sum(attack.path.parent.name == folder for attack in corpus) >= least, folder
    assert len({attack.says for attack in corpus}) == len(corpus)


def test_nothing_else_lies_beside_the_attacks() -> None:
    for folder in FOLDERS:
        others = [
            path.name
            for path in (ROOT / folder).iterdir()
            if path.suffix != ".py" and path.name != "__pycache__"
        ]
        assert others == []


def test_no_attack_knows_a_secret_before() -> None:
    assert [
        attack.name for attack in load() if any(secret in attack.path.read_text() for secret in SECRETS)
    ] == []


@pytest.mark.parametrize(
    "text",
    [
        "x = 1\n",
        '"""too short."""\nx = 1\n',
        '"""Tries something that has no code behind it."""\n',
        '"""Tries something with a constant too late."""\nx = 1\nLOCAL = True\n',
        '"""Tries something with a wrong constant."""\nLOCAL = "yes"\nx = 1\n',
        '"""Tries something that is computed."""\nCELL = str(1)\nx = 1\n',
        '"""Tries something that is not Python."""\nx = (\n',
    ],
)
def test_a_malformed_attack_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tries-something.py"
    path.write_text(text)
    with pytest.raises(MalformedAttack):
        read(path)


@pytest.mark.parametrize(
    "shown", ["abc-secret-1", "1-terces-cba", "616263", "x YWJjLXNlY3JldC0x y", "97 98 99 45 115"]
)
def test_a_secret_is_found_in_disguise(shown: str) -> None:
    secret = "abc-secret-1" if "616263" not in shown else "abc"
    if shown == "97 98 99 45 115":
        secret = "abc-s"
    assert secrets_in({"report": shown}, [secret])
    assert not secrets_in({"report": "nothing"}, [secret])


@pytest.mark.parametrize(
    "page",
    ["<p><script>x</script>", "<img src=x onerror=y>", "<a href=' JavaScript:x'>", "<p style='x'>", "<form>"],
)
def test_what_acts_is_found_in_a_page(page: str) -> None:
    assert what_acts(page)
    assert not what_acts(
        "<p class='x'><a href='https://example.org'>x</a><img src='data:image/png;base64,AA'></p>"
    )
