"""The adapters of the event bus, and the faults that stand in front of any of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from reference_impl.shared.bus import EventBus
from reference_impl.shared.settings import BusKind, Settings, SettingsError


def open_bus(settings: Settings, services: Sequence[str]) -> EventBus:
    """The bus that the settings name, for these services: each is a source of events and a group that reads them.

    It asks nothing of its broker yet. Raises SettingsError.
    """
    return _BUSES[settings.bus](settings, services)


def _in_process(settings: Settings, _services: Sequence[str]) -> EventBus:
    from reference_impl.shared.buses.in_process import InProcessBus

    return InProcessBus(settings.data)


def _kafka(settings: Settings, services: Sequence[str]) -> EventBus:
    if not settings.kafka_bootstrap_servers:
        raise SettingsError(
            "MERIDIAN_BUS=kafka needs MERIDIAN_KAFKA_BOOTSTRAP_SERVERS: write host:port,host:port."
        )
    from reference_impl.shared.buses.kafka import KafkaBus

    return KafkaBus(settings.kafka_bootstrap_servers, services, partitions=settings.kafka_partitions)


def _sns_sqs(_settings: Settings, services: Sequence[str]) -> EventBus:
    try:
        from reference_impl.shared.buses.sns_sqs import SnsSqsBus
    except ImportError as error:
        raise SettingsError("MERIDIAN_BUS=sns-sqs needs the package boto3: install it.") from error
    return SnsSqsBus(services)


_BUSES: Mapping[BusKind, Callable[[Settings, Sequence[str]], EventBus]] = {
    BusKind.IN_PROCESS: _in_process,
    BusKind.KAFKA: _kafka,
    BusKind.SNS_SQS: _sns_sqs,
}
"""Each imports its client only when it is chosen."""
