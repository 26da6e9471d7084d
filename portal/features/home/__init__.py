"""The first page: what this is, or where you were."""

from portal.features.home.routes import blueprint

__all__ = ["blueprint"]
