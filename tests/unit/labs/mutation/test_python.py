"""Changes of Python code: which are found, and which are not because only people read what they change."""

from __future__ import annotations

import ast

import pytest

from labs.mutation.python import changes


def results(code: str) -> set[str]:
    """Every code that one change makes."""
    return {change.apply(code) for change in changes(code)}


@pytest.mark.parametrize(
    ("code", "made"),
    [
        ("x = a < b", {"x = a <= b", "x = a >= b"}),
        ("x = a not in b", {"x = a in b"}),
        ("x = a  is   not b", {"x = a  is b"}),
        ("x = a + b", {"x = a - b"}),
        ("x = a // b", {"x = a * b"}),
        ("x += y", {"x -= y", "pass"}),
        ("x = a and b", {"x = a or b", "x = True and b", "x = a and True"}),
        ("x = a or b", {"x = a and b", "x = False or b", "x = a or False"}),
        ("x = not a", {"x = (a)"}),
        ("x = -a", {"x = (a)"}),
        ("x = True", {"x = False"}),
        ("x = 3", {"x = 4", "x = 2"}),
        ("x = 0", {"x = 1"}),
        ("x = 0.5", {"x = 1.5"}),
        ('x = "sold"', {'x = ""'}),
        ('x = b"a"', {'x = b""'}),
        ("x = sorted(y)", {"x = list(y)"}),
        ("x = sorted(y, key=f)", {"x = sorted(y)"}),
        ("x = m.min(y)", {"x = m.max(y)"}),
        ("f(a, b=c)", {"f(a)", "pass"}),
        ("x = f(b=c, d=e)", {"x = f(d=e)", "x = f(b=c)"}),
        ('x = {"a": y, "b": z}', {'x = {"b": z}', 'x = {"a": y}'}),
        ("if f(x):\n    g = y", {"if not (f(x)):\n    g = y"}),
        ("for a in b:\n    x = a", {"for a in ():\n    x = a"}),
        ("with lock:\n    x = y", {"if True:\n    x = y"}),
        ("with open_it() as f:\n    x = y", set()),
        ("try:\n    x = y\nfinally:\n    z = q", {"try:\n    x = y\nfinally:\n    pass"}),
        ("try:\n    x = y\nexcept E:\n    z = q", {"try:\n    x = y\nexcept E:\n    raise"}),
        ("x = [a for a in b if a.c]", {"x = [a for a in b if True]"}),
        ("def f():\n    return x", {"def f():\n    return None"}),
        ('x = f"release {order} {sku}"', {'x = f"release  {sku}"', 'x = f"release {order} "'}),
        ("while a:\n    break", {"while not (a):\n    break", "while a:\n    pass", "while a:\n    continue"}),
        ("self.x = y", {"pass"}),
        ("x = a if f(b) else c", {"x = a if not (f(b)) else c"}),
    ],
)  # fmt: skip
def test_a_mistake_is_made_in_each_place(code: str, made: set[str]) -> None:
    assert results(code) == made
    for each in made:
        ast.parse(each)


@pytest.mark.parametrize(
    "code",
    [
        'def f(a: int) -> "str":\n    """Not 3, but < 4."""\n    pass',
        'raise ValueError(f"no {x + 1} more", code=7)',
        'print("a", x + 1, end="")',
        'log.warning("x %s", 3)',
        "time.sleep(0.5)",
        "x = f(timeout=3)",
        'x = f(name="a", connect_timeout=5, application_name="b")',
        'x = f(title="Stock")',
        'x = {"reason": "payment declined"}',
        'x = y["key"]',
        "x: Literal[3] = y",
        'assert x, "no " + y',
    ],
)
def test_what_only_people_read_is_left_alone(code: str) -> None:
    assert results(code) <= {"pass"}, "at most the whole statement is left out"


def test_sql_in_a_text_is_changed_where_it_stands() -> None:
    code = 'é = "ß"\nf("SELECT 1 FROM t WHERE a >= %s FOR UPDATE", [x])'
    made = results(code)
    assert 'é = "ß"\nf("SELECT 1 FROM t WHERE a > %s FOR UPDATE", [x])' in made
    assert 'é = "ß"\nf("SELECT 1 FROM t WHERE a >= %s ", [x])' in made


def test_code_that_is_not_whole_python_gives_nothing() -> None:
    assert changes("else:\n    x = 1") == []


def test_every_change_of_a_longer_piece_is_one_place() -> None:
    code = (
        "for attempt in range(12):\n    if attempt and row[0] < quantity:\n        connection.rollback()\n        return False\n"
        'raise GaveUp("no")'
    )
    for change in changes(code):
        after = change.apply(code)
        assert after != code
        assert len(after.splitlines()) == len(code.splitlines())
        assert sum(a != b for a, b in zip(after.splitlines(), code.splitlines(), strict=True)) == 1
