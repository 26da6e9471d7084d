"""What the notification service counts."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

MESSAGES = Counter(
    "meridian_notification_messages_total",
    "Messages by what became of them: queued, sent, retried, dead, expired or suppressed.",
    ["channel", "template", "outcome"],
)
DELAY_SECONDS = Histogram(
    "meridian_notification_delay_seconds",
    "From what happened to the message about it, quiet hours and retries included.",
    ["channel"],
    buckets=(0.1, 0.5, 1, 5, 30, 120, 600, 3600, 6 * 3600, 86_400),
)
HELD = Counter(
    "meridian_notification_held_events_total",
    "Events about an order that had to wait for the event that says whose it is.",
)
