"""The scorecard: six sides of an architect by month, success criteria, weekly commitments, monthly numbers."""

from portal.features.scorecard.routes import blueprint

__all__ = ["blueprint"]
