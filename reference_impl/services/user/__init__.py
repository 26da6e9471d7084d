"""The user service: owns accounts, sessions, signing keys and API keys, and alone says who somebody is."""

from reference_impl.services.user.api import build

__all__ = ["build"]
