"""The tree of categories."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reference_impl.services.product.models import Category
from reference_impl.shared.problems import Problem

DEEPEST = 5
MOST = 500


def all_categories(session: Session) -> list[Category]:
    """Every category, parents before their children."""
    return list(session.scalars(select(Category).order_by(Category.path)))


def by_slug(session: Session, slugs: Sequence[str]) -> list[Category]:
    """These categories. Raises Problem 422 when one does not exist."""
    if not slugs:
        return []
    found = list(session.scalars(select(Category).where(Category.slug.in_(slugs)).order_by(Category.path)))
    unknown = sorted(set(slugs) - {category.slug for category in found})
    if unknown:
        detail = f"There is no category {', '.join(unknown)}."
        raise Problem(422, "unknown-category", "A category does not exist", detail, categories=unknown)
    return found


def add_category(session: Session, *, slug: str, name: str, parent: str | None) -> Category:
    """A new drawer. Raises Problem 409 when the slug is taken or the tree is full, 422 for an unknown parent or too deep."""
    above = by_slug(session, [parent])[0] if parent is not None else None
    path = f"{above.path if above else '/'}{slug}/"
    if path.count("/") > DEEPEST + 1:
        raise Problem(422, "too-deep", "The tree would be too deep", f"It has at most {DEEPEST} levels.")
    if (session.scalar(select(func.count()).select_from(Category)) or 0) >= MOST:
        raise Problem(409, "too-many-categories", "The tree is full", f"It has at most {MOST} categories.")
    category = Category(slug=slug, name=name, parent_id=above.id if above else None, path=path)
    try:
        with session.begin_nested():
            session.add(category)
    except IntegrityError:
        detail = f"{slug} exists already."
        raise Problem(409, "category-taken", "This category exists", detail) from None
    return category
