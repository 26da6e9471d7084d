"""Showing something where there is a front end, where there is only a kernel, and where there is neither."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
from labkit import display
from labkit.display import LivePicture, is_watched, show


class Shell:
    """An IPython that keeps what is published."""

    def __init__(self, kernel: object = None) -> None:
        self.kernel = kernel
        self.user_ns: dict[str, Any] = {}
        self.published: list[dict[str, Any]] = []
        self.display_pub = SimpleNamespace(publish=lambda **message: self.published.append(message))


@pytest.fixture(autouse=True)
def nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JPY_SESSION_NAME", display.LIVE_VARIABLE):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A kernel's shell."""
    made = Shell(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: made))
    return made


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain Python process."""
    monkeypatch.delitem(sys.modules, "IPython", raising=False)


def test_a_notebook_gets_html_and_text(shell: Shell) -> None:
    show("<p>a</p>", "a")
    assert [message["data"] for message in shell.published] == [{"text/html": "<p>a</p>", "text/plain": "a"}]


@pytest.mark.usefixtures("plain")
def test_elsewhere_the_text_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    show("<p>a</p>", "a")
    assert capsys.readouterr().out == "a\n"


def test_somebody_watches_in_jupyter_and_in_visual_studio_code(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not is_watched()
    shell.user_ns["__vsc_ipynb_file__"] = "x.ipynb"
    assert is_watched()
    del shell.user_ns["__vsc_ipynb_file__"]
    monkeypatch.setenv("JPY_SESSION_NAME", "x.ipynb")
    assert is_watched()
    monkeypatch.setenv(display.LIVE_VARIABLE, "0")
    assert not is_watched()


@pytest.mark.usefixtures("plain")
def test_nobody_watches_a_plain_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "x.ipynb")
    assert not is_watched()


def test_a_watched_picture_is_shown_once_and_then_changed_in_place(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(display.LIVE_VARIABLE, "1")
    monkeypatch.setattr(display, "LIVE_SECONDS", 0.0)
    count = iter(range(100))
    shown = LivePicture(lambda: (f"<p>{next(count)}</p>", ""))
    shown.refresh()
    shown.refresh()
    shown.finish()
    assert [message["data"]["text/html"] for message in shell.published] == ["<p>0</p>", "<p>1</p>", "<p>2</p>"]
    assert [message["update"] for message in shell.published] == [False, True, True]
    assert len({message["transient"]["display_id"] for message in shell.published}) == 1


def test_it_is_drawn_at_most_four_times_a_second(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(display.LIVE_VARIABLE, "1")
    now = 1_000.0
    monkeypatch.setattr(display.time, "monotonic", lambda: now)
    shown = LivePicture(lambda: ("", ""))
    for step in range(200):
        now = 1_000 + step * 0.01
        shown.refresh()
    assert 7 <= len(shell.published) <= 8


def test_without_anybody_who_watches_only_the_last_state_is_put_out(shell: Shell) -> None:
    shown = LivePicture(lambda: ("<p>end</p>", "end"))
    for _ in range(5):
        shown.refresh()
    assert shell.published == []
    shown.finish()
    assert [message["update"] for message in shell.published] == [False]
