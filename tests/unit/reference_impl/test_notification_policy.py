"""When a message may be sent, and what it then says."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from string import printable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import TemplateError

from reference_impl.services.notification.kinds import KINDS, Category, Channel
from reference_impl.services.notification.policy import Preferences, QuietHours, when
from reference_impl.services.notification.rendering import FOLDER, LONGEST_SHORT, render

BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(0, 15 * 365 * 86_400).map(lambda seconds: BEGINNING + timedelta(seconds=seconds))
CLOCK = st.times().map(lambda at: at.replace(second=0, microsecond=0))
ZONES = st.sampled_from(["UTC", "Europe/Zurich", "America/St_Johns", "Asia/Kathmandu", "Pacific/Chatham"])
WITHOUT_SUMMER_TIME = st.sampled_from(["UTC", "Asia/Kathmandu", "Etc/GMT+12"])
EVERYTHING = {
    "name": "Ann",
    "order_id": "0" * 24 + "12345678",
    "token": "t",
    "expires": "soon",
    "total_cents": 100,
    "amount_cents": 100,
    "currency": "USD",
    "reason": "why",
    "code": "why",
    "carrier": "post",
    "tracking_number": "RP1",
}


@st.composite
def quiet(draw: Any, zones: Any = ZONES) -> QuietHours:
    start, end = draw(st.tuples(CLOCK, CLOCK).filter(lambda pair: pair[0] != pair[1]))
    return QuietHours(start=start, end=end, time_zone=draw(zones))


@given(quiet(WITHOUT_SUMMER_TIME), MOMENTS)
def test_quiet_hours_end_once_and_within_a_day(hours: QuietHours, at: datetime) -> None:
    end = hours.until(at)
    if end is not None:
        assert at < end <= at + timedelta(days=1)
        assert hours.until(end) is None
        assert hours.until(end - timedelta(seconds=1)) == end


@given(quiet(), MOMENTS)
def test_no_change_of_the_clocks_makes_a_message_wait_for_more_than_a_day_and_an_hour(
    hours: QuietHours, at: datetime
) -> None:
    end = hours.until(at)
    assert end is None or at <= end <= at + timedelta(hours=25)


@pytest.mark.parametrize(
    ("at", "until"),
    [("21:59", None), ("22:00", "07:00"), ("23:30", "07:00"), ("06:59", "07:00"), ("07:00", None)],
)
def test_a_night_goes_over_midnight(at: str, until: str | None) -> None:
    night = QuietHours(start=time(22), end=time(7), time_zone="Europe/Zurich")
    summer = datetime.fromisoformat(f"2026-07-01T{at}:00+02:00")
    end = night.until(summer)
    assert (None if end is None else end.astimezone(summer.tzinfo).strftime("%H:%M")) == until


@given(st.sampled_from(list(KINDS.values())), st.sampled_from(list(Channel)), quiet(), MOMENTS, st.booleans())
def test_an_email_about_ones_own_order_is_never_held_back(
    kind: Any, channel: Channel, hours: QuietHours, at: datetime, marketing: bool
) -> None:
    chosen = Preferences.model_validate(
        {
            "email": {"marketing": marketing},
            "sms": {"number": "+41791234567", "marketing": marketing},
            "push": {"device": "device-0001", "marketing": marketing},
            "quiet_hours": hours,
        }
    )
    due = when(kind, channel, chosen, at)
    if kind.category is Category.MARKETING and not marketing:
        assert due is None
    elif kind.category is Category.TRANSACTIONAL and channel is Channel.EMAIL:
        assert due == at
    else:
        assert due == (hours.until(at) or at)


@pytest.mark.parametrize("channel", [Channel.SMS, Channel.PUSH])
def test_without_an_address_nothing_is_sent(channel: Channel) -> None:
    assert when(KINDS["payment_declined"], channel, Preferences(), datetime.now(UTC)) is None


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_each_kind_has_its_texts_and_they_need_their_variables(kind: Any) -> None:
    message = render(kind, EVERYTHING)
    assert message.subject
    assert "Ann" in message.text
    assert "Ann" in message.html
    assert "\n\n\n" not in message.text
    if len(kind.channels) > 1:
        assert message.short != message.subject, "an SMS says more than a subject"
    with pytest.raises(TemplateError):
        render(kind, {})


def test_no_template_is_left_over() -> None:
    names = {path.stem for path in (FOLDER / "en").iterdir()}
    assert names == set(KINDS) | {"base"}


@given(st.text(), st.text(alphabet=printable))
def test_whatever_a_name_or_a_code_is_it_stays_in_its_place(name: str, tracking: str) -> None:
    values = EVERYTHING | {"name": name, "tracking_number": tracking}
    message = render(KINDS["order_dispatched"], values)
    assert message.subject == "Your order 12345678 is on its way"
    assert len(message.short) <= LONGEST_SHORT
    assert len(message.short.splitlines()) == 1
    plain = render(KINDS["order_dispatched"], EVERYTHING).html
    assert message.html.count("<") == plain.count("<")
