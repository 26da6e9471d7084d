"""The small value types that the services' APIs have in common, with their limits."""

from __future__ import annotations

from typing import Annotated, Protocol, TypeVar

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

SKU_PATTERN = r"^[A-Z0-9][A-Z0-9-]{0,31}$"
NOT_NUL = r"^[^\x00]*$"
"""For free text: PostgreSQL stores no NUL."""
MOST_LINES = 50
MOST_UNITS = 1_000_000
MOST_CENTS = 10**12

Sku = Annotated[
    str, Field(pattern=SKU_PATTERN, description="Stock keeping unit: upper-case letters, digits, dashes.")
]
SkuPath = Annotated[str, Path(pattern=SKU_PATTERN, description="The product's stock keeping unit.")]
Identifier = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
IdentifierPath = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="An id: 32 hexadecimal digits.")]
Units = Annotated[int, Field(strict=True, ge=1, le=MOST_UNITS)]
Cents = Annotated[int, Field(strict=True, ge=0, le=MOST_CENTS, description="An amount of money in cents.")]
Flag = Annotated[bool, Field(strict=True)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]

PageSize = Annotated[int, Query(ge=1, le=200, description="How many to return at most.")]
After = Annotated[int, Query(ge=0, le=2**53, description="The cursor of the page before; 0 is the beginning.")]


class Command(BaseModel):
    """A request body: unknown fields are refused, so that a misspelt one is noticed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class View(BaseModel):
    """An answer's body."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class Line(BaseModel):
    """Some units of one product."""

    model_config = ConfigDict(frozen=True)

    sku: Sku
    quantity: Units


class _OfOneSku(Protocol):
    @property
    def sku(self) -> str: ...


_Item = TypeVar("_Item", bound=_OfOneSku)


def each_sku_once(wrong: str) -> AfterValidator:
    """For a list of what has a `sku` each: none stands in it twice. Who sent one that does is told what is `wrong`."""

    def check(items: list[_Item]) -> list[_Item]:
        if len({item.sku for item in items}) < len(items):
            raise ValueError(wrong)
        return items

    return AfterValidator(check)
