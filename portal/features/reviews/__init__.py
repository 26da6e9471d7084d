"""Practice: sessions of one question at a time, spaced by what a learner is about to forget."""

from portal.features.reviews.keeping import REASONS
from portal.features.reviews.routes import blueprint

__all__ = ["REASONS", "blueprint"]
