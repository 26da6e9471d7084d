"""Reference code: files of Meridian, to read in the browser."""

from portal.features.reference.routes import blueprint

__all__ = ["blueprint"]
