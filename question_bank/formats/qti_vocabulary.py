"""The names of QTI 2 and of QTI 3, which are the same words written differently.

Everything here works with the names of QTI 2.1 (`choiceInteraction`, `responseIdentifier`); only reading and writing
know that QTI 3 says `qti-choice-interaction` and `response-identifier`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

HTML = frozenset(
    "a abbr acronym address b big blockquote br caption cite code col colgroup dd dfn div dl dt em h1 h2 h3 h4 h5 h6 "  # noqa: SIM905
    "hr i img kbd li object ol p param pre q samp small span strong sub sup table tbody td tfoot th thead tr tt ul "
    "var math".split()
)
"""Elements that are called alike in HTML and in either version of QTI."""

XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
LOM = "http://ltsc.ieee.org/xsd/LOM"
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_LATER = frozenset({("outcomeDeclaration", "externalScored"), ("rubricBlock", "use")})
"""Attributes that QTI 2.1 doesn't have yet."""


@dataclass(frozen=True, slots=True)
class Version:
    """How one version of QTI writes its packages."""

    name: str
    item_namespace: str
    item_schema: str
    """Where the schema is said to be; nobody here fetches it."""
    package_namespace: str
    package_schema: str
    item_type: str
    """The type of an item among the manifest's resources."""
    schema: str
    schema_version: str
    kebab: bool
    """Whether elements are called `qti-choice-interaction`, and texts beside the body need a `qti-content-body`."""


QTI_21 = Version(
    name="2.1",
    item_namespace="http://www.imsglobal.org/xsd/imsqti_v2p1",
    item_schema="http://www.imsglobal.org/xsd/qti/qtiv2p1/imsqti_v2p1.xsd",
    package_namespace="http://www.imsglobal.org/xsd/imscp_v1p1",
    package_schema="http://www.imsglobal.org/xsd/qti/qtiv2p1/qtiv2p1_imscpv1p2_v1p0.xsd",
    item_type="imsqti_item_xmlv2p1",
    schema="QTIv2.1 Package",
    schema_version="1.0.0",
    kebab=False,
)
QTI_30 = Version(
    name="3.0",
    item_namespace="http://www.imsglobal.org/xsd/imsqtiasi_v3p0",
    item_schema="https://purl.imsglobal.org/spec/qti/v3p0/schema/xsd/imsqti_asiv3p0_v1p0.xsd",
    package_namespace="http://www.imsglobal.org/xsd/qti/qtiv3p0/imscp_v1p1",
    package_schema="https://purl.imsglobal.org/spec/qti/v3p0/schema/xsd/imsqtiv3p0_imscpv1p2_v1p0.xsd",
    item_type="imsqti_item_xmlv3p0",
    schema="QTI Package",
    schema_version="3.0.0",
    kebab=True,
)


def plain_name(tag: str) -> str:
    """An element's name as QTI 2.1 has it, without its namespace."""
    local = tag.rpartition("}")[2]
    return _camel(local.removeprefix("qti-")) if local.startswith("qti-") else local


def plain_attribute(name: str, *, kebab: bool) -> str:
    """An attribute's name as QTI 2.1 has it; `kebab` says that its element is one of QTI 3."""
    if name == XML_LANG:
        return name
    local = name.rpartition("}")[2]
    return _camel(local) if kebab and not local.startswith(("data-", "aria-")) else local


def version_name(tag: str, version: Version) -> str:
    """An element's name in a version, with its namespace."""
    if version.kebab and tag not in HTML:
        tag = f"qti-{_kebab(tag)}"
    return f"{{{version.item_namespace}}}{tag}"


def version_attribute(tag: str, name: str, version: Version) -> str | None:
    """An attribute's name in a version; None when the version hasn't got it."""
    if not version.kebab:
        return None if (tag, name) in _LATER else name
    return name if tag in HTML or name.startswith("{") else _kebab(name)


def _camel(name: str) -> str:
    first, *rest = name.split("-")
    return first + "".join(word.capitalize() for word in rest)


def _kebab(name: str) -> str:
    return _WORDS.sub("-", name).lower()
