"""The operator's pages: for admins only."""

from portal.features.admin.routes import blueprint

__all__ = ["blueprint"]
