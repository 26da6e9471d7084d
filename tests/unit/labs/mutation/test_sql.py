"""Changes of SQL and of Lua in texts."""

from __future__ import annotations

import pytest

from labs.mutation.sql import changes, is_lua, is_sql, lua_changes


def results(text: str) -> set[str]:
    """Every text that one change makes, with single spaces."""
    return {" ".join(change.apply(text).split()) for change in changes(text)}


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("SELECT 1", True),
        ("\n    UPDATE t SET a = 1", True),
        ("-- find them\nSELECT 1", True),
        ("WITH a AS (SELECT 1) SELECT 2", True),
        ("Update the counters", False),
        ("Selected", False),
        ("BEGIN", True),
        ("", False),
    ],
)
def test_sql_is_recognised_by_its_capitals(text: str, sql: bool) -> None:
    assert is_sql(text) is sql


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("SELECT a FROM t WHERE a >= 5", {
            "SELECT a FROM t WHERE a > 5", "SELECT a FROM t WHERE a < 5", "SELECT a FROM t WHERE a >= 6",
            "SELECT a FROM t WHERE a >= 4", "SELECT a FROM t WHERE true"}),
        ("SELECT a FROM t WHERE b = %s", {"SELECT a FROM t WHERE b <> %s", "SELECT a FROM t WHERE true"}),
        ("SELECT a FROM t WHERE b AND c ORDER BY d, e DESC LIMIT %s", {
            "SELECT a FROM t WHERE b OR c ORDER BY d, e DESC LIMIT %s",
            "SELECT a FROM t WHERE true AND c ORDER BY d, e DESC LIMIT %s",
            "SELECT a FROM t WHERE b AND true ORDER BY d, e DESC LIMIT %s",
            "SELECT a FROM t WHERE b AND c ORDER BY d, e ASC LIMIT %s",
            "SELECT a FROM t WHERE b AND c ORDER BY d LIMIT %s",
            "SELECT a FROM t WHERE b AND c LIMIT %s",
            "SELECT a FROM t WHERE b AND c ORDER BY d, e DESC"}),
        ("SELECT a FROM t FOR UPDATE SKIP LOCKED", {"SELECT a FROM t", "SELECT a FROM t FOR UPDATE"}),
        ("INSERT INTO t VALUES (%s) ON CONFLICT (a) DO NOTHING RETURNING b", {"INSERT INTO t VALUES (%s) RETURNING b"}),
        ("UPDATE t SET a = a - %s, b = now() WHERE c", {
            "UPDATE t SET a = a + %s, b = now() WHERE c", "UPDATE t SET b = now() WHERE c",
            "UPDATE t SET a = a - %s WHERE c", "UPDATE t SET a = a - %s, b = now() WHERE true"}),
        ("SELECT coalesce(sum(a), b) FROM t", {"SELECT sum(a) FROM t", "SELECT coalesce(max(a), b) FROM t"}),
        ("SELECT a FROM t LEFT JOIN u USING (b)", {"SELECT a FROM t JOIN u USING (b)"}),
        ("SELECT DISTINCT a FROM t UNION ALL SELECT b FROM u", {
            "SELECT a FROM t UNION ALL SELECT b FROM u", "SELECT DISTINCT a FROM t UNION SELECT b FROM u"}),
        ("SELECT a FROM t WHERE b IS NOT NULL", {"SELECT a FROM t WHERE b IS NULL", "SELECT a FROM t WHERE true"}),
        ("SELECT a FROM t WHERE b BETWEEN %s AND %s", {
            "SELECT a FROM t WHERE b NOT BETWEEN %s AND %s", "SELECT a FROM t WHERE true AND %s"}),
        ("CREATE TABLE t (a int NOT NULL, CHECK (a > b))", {
            "CREATE TABLE t (a int , CHECK (a > b))", "CREATE TABLE t (a int NOT NULL)",
            "CREATE TABLE t (a int NOT NULL, CHECK (a >= b))", "CREATE TABLE t (a int NOT NULL, CHECK (a <= b))"}),
        ("SELECT 'a >= 5 AND b' FROM t", set()),
        ("SELECT a -- where b >= 5\nFROM t", set()),
        ("SELECT %(first)s, a2 FROM t", set()),
    ],
)  # fmt: skip
def test_a_mistake_is_made_in_each_place(text: str, made: set[str]) -> None:
    assert results(text) == made


def test_a_condition_in_brackets_ends_with_them() -> None:
    text = "SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.a) AND b"
    assert "SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE true) AND b" in results(text)
    assert "SELECT a FROM t WHERE true AND b" in results(text)
    assert "SELECT a FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.a = t.a) AND b" in results(text)


def test_lua_is_changed_too() -> None:
    script = (
        'if redis.call("GET", KEYS[1]) == ARGV[1] and n < 3 then\n  redis.call("DEL", KEYS[1])\nend\nreturn 0'
    )
    assert is_lua(script)
    made = {change.apply(script) for change in lua_changes(script)}
    assert script.replace("==", "~=") in made
    assert script.replace(" and ", " or ") in made
    assert script.replace("n < 3", "n <= 3") in made
    assert script.replace("return 0", "return 1") in made
    assert script.replace('  redis.call("DEL", KEYS[1])', "  ") in made
    assert not any("KEYS[2]" in each or "ARGV[2]" in each for each in made)
