"""Settings of the platform, and of single services."""

from __future__ import annotations

import pytest

from reference_impl.shared.settings import BusKind, Section, Settings, SettingsError


class OrderSettings(Section):
    section = "order"

    snapshot_every: int = 20


def test_a_service_reads_its_own_and_others_see_nothing_of_it() -> None:
    settings = Settings.from_environment({"MERIDIAN_ORDER_SNAPSHOT_EVERY": "5", "MERIDIAN_BUS": "kafka"})
    assert OrderSettings.of(settings).snapshot_every == 5
    assert settings.bus is BusKind.KAFKA
    assert OrderSettings.of(Settings()).snapshot_every == 20


def test_a_platform_setting_that_begins_like_a_service_is_none_of_the_service() -> None:
    settings = Settings.from_environment({"MERIDIAN_PAYMENT_WINDOW": "7"})
    assert (settings.payment_window, dict(settings.sections)) == (7.0, {})


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("MERIDIAN_ORDER_SNAPSHOT_EVRY", "5", "Known are: MERIDIAN_ORDER_SNAPSHOT_EVERY"),
        ("MERIDIAN_ORDER_SNAPSHOT_EVERY", "often", "MERIDIAN_ORDER_SNAPSHOT_EVERY is not usable"),
    ],
)
def test_a_service_refuses_what_it_does_not_understand(name: str, value: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        OrderSettings.of(Settings.from_environment({name: value}))


def test_a_setting_of_no_service_is_refused_at_once() -> None:
    with pytest.raises(SettingsError, match="Unknown setting MERIDIAN_ODER_SNAPSHOT_EVERY"):
        Settings.from_environment({"MERIDIAN_ODER_SNAPSHOT_EVERY": "5"})
