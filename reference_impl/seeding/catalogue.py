"""What a shop for home and kitchen sells: a few dozen kinds of things, and thousands of variants of them.

Everything about a product follows from its number and the seed, so that a larger catalogue begins with the smaller one.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

MOST_UNITS = 4_000


@dataclass(frozen=True)
class Item:
    """A product and what is in stock of it."""

    sku: str
    title: str
    description: str
    cents: int
    units: int
    category: str | None
    vendor: int | None
    """Whose it is, as a number that wraps around the vendors there are; None: the house's."""


@dataclass(frozen=True)
class Kind:
    """A kind of thing, of which there are many variants."""

    code: str
    noun: str
    category: str
    cents: tuple[int, int]
    """The cheapest and the dearest."""
    sizes: tuple[str, ...]
    materials: tuple[str, ...]


def _house(sku: str, title: str, cents: int, units: int, category: str) -> Item:
    return Item(sku, title, "", cents, units, category, None)


HOUSE: tuple[Item, ...] = (
    _house("KETTLE-1L", "Steel kettle, 1 litre", 4_900, 40, "kettles"),
    _house("MUG-BLUE", "Blue stoneware mug", 1_250, 200, "cups"),
    _house("TEA-ASSAM", "Assam tea, 250 g", 890, 150, "tea"),
    _house("TEA-SENCHA", "Sencha tea, 100 g", 1_490, 80, "tea"),
    _house("FILTER-100", "Paper filters, 100", 450, 300, "brewing"),
    _house("GRINDER", "Hand coffee grinder", 7_900, 25, "brewing"),
    _house("BEANS-1KG", "Coffee beans, 1 kg", 2_400, 120, "coffee"),
    _house("SCALE", "Kitchen scale, 0.1 g", 3_900, 30, "tools"),
    _house("LAMP-DESK", "Desk lamp", 5_900, 15, "lamps"),
    _house("LAST-ONE", "Framed print, the last one", 12_000, 1, "decoration"),
)
"""Every catalogue has these, with these SKUs and units: examples and exercises name them."""

CATEGORIES: tuple[tuple[str, str, str | None], ...] = (
    ("kitchen", "Kitchen", None),
    ("kettles", "Kettles", "kitchen"),
    ("brewing", "Brewing", "kitchen"),
    ("cups", "Cups and mugs", "kitchen"),
    ("cookware", "Pots and pans", "kitchen"),
    ("knives", "Knives", "kitchen"),
    ("tools", "Kitchen tools", "kitchen"),
    ("pantry", "Pantry", None),
    ("tea", "Tea", "pantry"),
    ("coffee", "Coffee", "pantry"),
    ("spices", "Spices", "pantry"),
    ("home", "Home", None),
    ("lamps", "Lamps", "home"),
    ("textiles", "Textiles", "home"),
    ("decoration", "Decoration", "home"),
    ("storage", "Storage", "home"),
    ("garden", "Garden", None),
    ("planters", "Planters", "garden"),
    ("garden-tools", "Garden tools", "garden"),
)
"""Slug, name and the slug above; parents come first."""

_METAL = ("brushed steel", "copper", "enamelled steel", "black steel", "brass")
_CLAY = ("stoneware", "porcelain", "earthenware", "bone china")
_WOOD = ("oak", "walnut", "beech", "bamboo", "olive wood")
_CLOTH = ("linen", "cotton", "wool", "hemp")
_BOX = ("250 g", "500 g", "1 kg")
_VOLUME = ("0.5 l", "0.8 l", "1 l", "1.5 l", "2 l")
_ACROSS = ("16 cm", "20 cm", "24 cm", "28 cm", "32 cm")

KINDS: tuple[Kind, ...] = (
    Kind("KTL", "kettle", "kettles", (2_900, 14_900), _VOLUME, _METAL),
    Kind("POT", "teapot", "brewing", (1_900, 8_900), _VOLUME, (*_CLAY, "cast iron", "glass")),
    Kind("PRS", "coffee press", "brewing", (2_400, 7_900), _VOLUME, ("glass", *_METAL)),
    Kind("DRP", "coffee dripper", "brewing", (1_200, 4_900), ("1 cup", "2 cups", "4 cups"), (*_CLAY, "glass")),
    Kind("MUG", "mug", "cups", (690, 2_900), ("0.2 l", "0.3 l", "0.4 l"), _CLAY),
    Kind("CUP", "espresso cup", "cups", (590, 1_900), ("0.06 l", "0.09 l"), _CLAY),
    Kind("PAN", "frying pan", "cookware", (2_900, 17_900), _ACROSS, ("cast iron", "steel", "carbon steel")),
    Kind("SCP", "saucepan", "cookware", (2_400, 15_900), _ACROSS, _METAL),
    Kind("KNF", "chef's knife", "knives", (3_900, 24_900), ("15 cm", "18 cm", "21 cm", "24 cm"), _WOOD),
    Kind("BRD", "cutting board", "tools", (1_900, 8_900), ("small", "medium", "large"), _WOOD),
    Kind("SPN", "serving spoon", "tools", (590, 2_400), ("25 cm", "30 cm", "35 cm"), (*_WOOD, *_METAL)),
    Kind("BTE", "black tea", "tea", (590, 3_900), _BOX, ("Assam", "Darjeeling", "Ceylon", "Keemun", "Nilgiri")),
    Kind("GTE", "green tea", "tea", (790, 5_900), _BOX, ("Sencha", "Longjing", "Gyokuro", "Bancha")),
    Kind("BNS", "coffee beans", "coffee", (990, 4_900), _BOX, ("Ethiopian", "Brazilian", "Kenyan", "Sumatran")),
    Kind("SPC", "pepper", "spices", (390, 1_900), ("50 g", "100 g", "250 g"), ("black", "white", "long", "pink")),
    Kind("LMP", "table lamp", "lamps", (3_900, 19_900), ("30 cm", "45 cm", "60 cm"), (*_METAL, *_CLAY)),
    Kind("TWL", "tea towel", "textiles", (690, 2_400), ("50 × 70 cm", "60 × 80 cm"), _CLOTH),
    Kind("CSH", "cushion", "textiles", (1_900, 6_900), ("40 cm", "50 cm", "60 cm"), _CLOTH),
    Kind("VAS", "vase", "decoration", (1_400, 9_900), ("15 cm", "25 cm", "40 cm"), (*_CLAY, "glass")),
    Kind("BSK", "basket", "storage", (1_200, 5_900), ("small", "medium", "large"), ("willow", "seagrass", "rattan")),
    Kind("JAR", "storage jar", "storage", (490, 2_900), _VOLUME, ("glass", *_CLAY)),
    Kind("PLT", "planter", "planters", (1_200, 12_900), _ACROSS, ("terracotta", "zinc", *_WOOD)),
    Kind("TRW", "hand trowel", "garden-tools", (990, 3_900), ("25 cm", "30 cm"), _WOOD),
)  # fmt: skip
COLOURS = (
    "white", "black", "grey", "sand", "sage", "navy", "rust", "ochre", "plum", "teal", "olive", "cream",
    "slate", "rose", "moss", "indigo",
)  # fmt: skip
LINES = (
    "Alder", "Birch", "Cedar", "Dune", "Elm", "Fjord", "Grove", "Harbour", "Islet", "Juniper", "Kelp", "Larch",
    "Meadow", "North", "Orchard", "Pebble", "Quarry", "Reed", "Shore", "Tide", "Upland", "Vale", "Willow", "Yarrow",
)  # fmt: skip
"""What makers call their product lines."""


def items(count: int, number: int) -> Iterator[Item]:
    """So many products, the same for the same number."""
    for index in range(count):
        yield _item(index, random.Random(f"{number} {index}"))


def _item(index: int, dice: random.Random) -> Item:
    kind = KINDS[index % len(KINDS)]
    line, colour = dice.choice(LINES), dice.choice(COLOURS)
    size, material = dice.choice(kind.sizes), dice.choice(kind.materials)
    cheapest, dearest = kind.cents
    # Most things cost little: a product's price leans towards the cheap end, and ends in 90.
    cents = round((cheapest + (dearest - cheapest) * dice.random() ** 2) / 100) * 100 - 10
    units = 0 if dice.random() < 0.02 else round(20 * 10 ** (2.3 * dice.random()))
    return Item(
        sku=f"{kind.code}-{index:05d}",
        title=f"{line} {kind.noun}, {material}, {colour}, {size}",
        description=f"A {colour} {kind.noun} from the {line} line: {material}, {size}.",
        cents=cents,
        units=min(units, MOST_UNITS),
        category=kind.category,
        vendor=dice.randrange(10_000),
    )
