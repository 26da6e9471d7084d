from __future__ import annotations

from pathlib import Path

import pytest

from sandboxes.agent.logs import LINE_BYTES, BoundedLog


def test_a_secret_is_hidden_also_when_it_comes_in_two_parts(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "a.log", ("s3cret-token",))
    log.write(b"GET /s/1/s3cret")
    log.write(b"-token/tree\nlast s3cret-token without an end")
    log.close()
    assert (tmp_path / "a.log").read_text() == "GET /s/1/[hidden]/tree\nlast [hidden] without an end\n"


def test_a_log_is_turned_over_and_keeps_one_older_part(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "a.log", size=1_000)
    for number in range(1_000):
        log.write(f"line {number}\n".encode())
    log.close()
    assert {path.name for path in tmp_path.iterdir()} == {"a.log", "a.old"}
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 2_100
    assert (tmp_path / "a.log").read_text().endswith("line 999\n")


@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_line_without_end_is_cut(tmp_path: Path, end: bytes) -> None:
    log = BoundedLog(tmp_path / "a.log")
    for _ in range(50):
        log.write(b"x" * 10_000 + end)
    log.close()
    lines = (tmp_path / "a.log").read_bytes().splitlines()
    assert lines
    assert all(len(line) <= LINE_BYTES + 10 for line in lines)
