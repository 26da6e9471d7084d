"""What instructors see of questions: how they do, and what learners say is wrong with them."""

from portal.features.insights.routes import blueprint

__all__ = ["blueprint"]
