"""What the user service counts."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

REGISTRATIONS = Counter("meridian_user_registrations_total", "Accounts made.")
SIGN_INS = Counter(
    "meridian_user_sign_ins_total", "Sign-ins by outcome: accepted, refused, throttled.", ["outcome"]
)
REFRESHES = Counter(
    "meridian_user_refreshes_total",
    "Uses of refresh tokens by outcome: rotated, repeated (within the grace), refused, reused (session revoked).",
    ["outcome"],
)
KEY_EXCHANGES = Counter(
    "meridian_user_api_key_exchanges_total",
    "API keys exchanged for tokens by outcome: accepted, refused.",
    ["outcome"],
)
PASSWORD_RESETS = Counter(
    "meridian_user_password_resets_total",
    "Password resets by step: requested, unknown, throttled, done, refused.",
    ["step"],
)
KEY_ROTATIONS = Counter("meridian_user_signing_key_rotations_total", "Rotations of the signing key.")
HASH_SECONDS = Histogram(
    "meridian_user_password_hash_seconds",
    "Time to hash or verify one password, without waiting for a turn.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0),
)
