"""Search over everything that authors wrote, and the glossary."""

from portal.features.search.glossary import linked
from portal.features.search.routes import blueprint

__all__ = ["blueprint", "linked"]
