"""The parts that charts are drawn from."""

from __future__ import annotations

import pytest
from labkit import svg

BACKGROUNDS = {"light": "#ffffff", "dark": "#111111"}


def luminance(colour: str) -> float:
    """The relative luminance of WCAG."""
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("background", BACKGROUNDS.values(), ids=BACKGROUNDS)
@pytest.mark.parametrize("colour", [*svg.COLOURS, svg.ERROR_COLOUR, svg.OTHER_COLOUR])
def test_every_colour_can_be_told_from_both_backgrounds(colour: str, background: str) -> None:
    dark, light = sorted((luminance(colour), luminance(background)))
    assert (light + 0.05) / (dark + 0.05) >= 3


@pytest.mark.parametrize(
    ("low", "high", "most", "expected"),
    [
        (0, 10, 5, [0, 2, 4, 6, 8, 10]),
        (0, 1, 4, [0, 0.5, 1]),
        (0, 37, 4, [0, 10, 20, 30]),
        (-3, 3, 3, [-2, 0, 2]),
        (5, 5, 4, [5]),
        (0, float("inf"), 4, [0]),
        (float("nan"), 1, 4, []),
    ],
)
def test_ticks_are_round_and_few(low: float, high: float, most: int, expected: list[float]) -> None:
    assert svg.ticks(low, high, most) == expected


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "0"),
        (12, "12"),
        (1234.5, "1,234"),
        (3.14159, "3.14"),
        (0.05, "0.05"),
        (float("nan"), "–"),
        (float("inf"), "–"),
    ],
)
def test_amounts_are_written_for_people(value: float, written: str) -> None:
    assert svg.amount(value) == written


def test_times_are_written_in_the_unit_that_fits() -> None:
    assert [svg.milliseconds(value) for value in (0.25, 3.2, 999, 1400)] == [
        "0.25 ms",
        "3.2 ms",
        "999 ms",
        "1.4 s",
    ]


def test_what_would_break_out_of_the_drawing_is_escaped() -> None:
    assert svg.escape("<b> & \"x\" 'y'\x00\x1b") == "&lt;b&gt; &amp; &quot;x&quot; &#x27;y&#x27;  "


def test_a_gap_lifts_the_pen() -> None:
    assert 'd="M0 0 L1 1 M3 3"' in svg.path([(0, 0), (1, 1), None, (3, 3)], "#000000")
    assert svg.path([None], "#000000") == ""


def test_a_scale_keeps_what_is_beyond_on_its_edge() -> None:
    scale = svg.Scale(0, 10, 100, 200)
    assert [scale(value) for value in (-5, 0, 5, 10, 99)] == [100, 100, 150, 200, 200]
    assert svg.Scale(3, 3, 0, 50)(3) == 0
