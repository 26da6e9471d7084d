"""Questions written in the browser: drafts, review by another instructor, publication, history."""

from portal.features.authoring.publishing import try_to_write_out, write_out
from portal.features.authoring.routes import blueprint

__all__ = ["blueprint", "try_to_write_out", "write_out"]
