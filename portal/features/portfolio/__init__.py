"""Activities: what learners make, hand in and get approved, and the queue that instructors work through."""

from portal.features.portfolio.routes import blueprint

__all__ = ["blueprint"]
