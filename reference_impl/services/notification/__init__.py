"""The notification service: tells customers what happened, once, by the channels that they chose."""

from reference_impl.services.notification.api import build

__all__ = ["build"]
