"""QTI packages that are broken, or made to do harm: what can be read is, and the rest is named."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from question_bank import Question
from question_bank.formats import FORMATS, FormatRefused, Imported

QTI = FORMATS["qti-2.1"]
ITEM = """<?xml version="1.0" encoding="UTF-8"?>
<assessmentItem xmlns="http://www.imsglobal.org/xsd/imsqti_v2p1" identifier="one" title="One"
    adaptive="false" timeDependent="false">
  <responseDeclaration identifier="RESPONSE" cardinality="single" baseType="identifier">
    <correctResponse><value>b</value></correctResponse>
  </responseDeclaration>
  <itemBody>
    <p>Which?</p>
    <choiceInteraction responseIdentifier="RESPONSE" shuffle="true" maxChoices="1">
      <simpleChoice identifier="a">First</simpleChoice>
      <simpleChoice identifier="b">Second</simpleChoice>
    </choiceInteraction>
  </itemBody>
  <responseProcessing template="http://www.imsglobal.org/question/qti_v2p1/rptemplates/match_correct"/>
</assessmentItem>
"""
MANIFEST = """<manifest xmlns="http://www.imsglobal.org/xsd/imscp_v1p1"><resources>{}</resources></manifest>"""


def resource(href: str, kind: str = "imsqti_item_xmlv2p1") -> str:
    return f'<resource identifier="r" type="{kind}" href="{href}"><file href="{href}"/></resource>'


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return packed.getvalue()


def package(items: Mapping[str, str | bytes], *hrefs: str) -> Imported:
    listed = MANIFEST.format("".join(resource(href) for href in hrefs or items))
    return QTI.read(zipped({"imsmanifest.xml": listed, **items}), "x.zip")


def ids(found: Imported) -> list[str]:
    return [question.id for question in found.questions]


def test_one_good_item_survives_broken_company():
    found = package(
        {
            "good.xml": ITEM,
            "cut.xml": ITEM[: ITEM.index("<responseProcessing")],
            "no-xml.xml": b"\x89PNG\r\n\x1a\n",
            "entity.xml": ITEM.replace("<assessmentItem", "<!DOCTYPE a [<!ENTITY x 'y'>]>\n<assessmentItem"),
            "other.xml": "<html/>",
            "keyless.xml": ITEM.replace("<value>b</value>", ""),
        },
        "good.xml", "cut.xml", "no-xml.xml", "entity.xml", "other.xml", "keyless.xml", "missing.xml",
    )  # fmt: skip
    assert ids(found)[0] == "one"
    said = {fault.path: fault.message for fault in found.faults if fault.path != "imsmanifest.xml"}
    assert set(said) >= {"cut.xml", "no-xml.xml", "entity.xml", "other.xml", "keyless.xml"}
    assert "doesn't say which choice is right" in said["keyless.xml"]
    assert "entities" in said["entity.xml"]
    (missing,) = [fault for fault in found.faults if fault.path == "imsmanifest.xml"]
    assert "missing.xml" in missing.message


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE x [<!ENTITY secret SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE x [<!ENTITY % remote SYSTEM "http://127.0.0.1:9/x.dtd"> %remote;]>',
    ],
)
@pytest.mark.parametrize("name", ["qti-1.2", "qti-2.1", "qti-3.0"])
def test_entities_are_refused(doctype, name):
    with pytest.raises(FormatRefused, match="entities"):
        FORMATS[name].read(f"{doctype}{ITEM.partition('?>')[2]}".encode(), "x.xml")


def test_paths_that_lead_out_of_the_package_are_not_followed():
    found = QTI.read(
        zipped(
            {
                "imsmanifest.xml": MANIFEST.format(
                    resource("../../etc/passwd") + resource("%2e%2e/%2e%2e/secret.xml") + resource("ok.xml")
                ),
                "ok.xml": ITEM,
                "../evil.xml": ITEM,
                "/abs.xml": ITEM,
            }
        ),
        "x.zip",
    )
    assert ids(found) == ["one"]
    messages = [fault.message for fault in found.faults]
    assert sum("leads out of the package" in message for message in messages) == 4


def test_a_manifest_in_a_folder_counts_from_there():
    listed = MANIFEST.format(resource("items/my%20item.xml"))
    found = QTI.read(zipped({"quiz/imsmanifest.xml": listed, "quiz/items/my item.xml": ITEM}), "x.zip")
    assert (ids(found), found.faults) == (["one"], ())


def test_what_unpacks_to_far_more_is_refused():
    bomb = ITEM.replace("Which?", "A" * 20_000_000)
    found = package({"bomb.xml": bomb, "good.xml": ITEM})
    assert ids(found) == ["one"]
    assert [fault.path for fault in found.faults] == ["bomb.xml"]


def test_depth_and_numbers_are_bounded():
    deep = ITEM.replace("Which?", "<span>" * 5_000 + "</span>" * 5_000)
    many = ITEM.replace(
        "</choiceInteraction>", '<simpleChoice identifier="x">X</simpleChoice>' * 500 + "</choiceInteraction>"
    )
    found = package({"deep.xml": deep, "many.xml": many, "good.xml": ITEM})
    assert "one" in ids(found)
    assert {"deep.xml"} <= {fault.path for fault in found.faults}
    assert any("the same identifier" in loss.message for loss in found.losses)
    for question in found.questions:
        assert len(question.options) <= 8


@pytest.mark.parametrize(
    "data",
    [
        ITEM.replace("UTF-8", "UTF-16").encode("utf-16"),
        ITEM.replace("UTF-8", "ISO-8859-1").encode("latin-1", "xmlcharrefreplace"),
        b"\xef\xbb\xbf" + ITEM.encode(),
        ITEM.replace("\n", "\r\n").encode(),
    ],
    ids=["utf-16", "latin-1", "mark", "crlf"],
)
def test_encodings_are_read(data):
    found = QTI.read(data, "x.xml")
    assert found.faults == ()
    assert [option.text for option in found.questions[0].options] == ["First", "Second"]


def test_a_wrong_encoding_is_read_with_a_doubt():
    found = QTI.read(ITEM.replace("Second", "Zweité").encode("latin-1"), "x.xml")
    assert [option.text for option in found.questions[0].options] == ["First", "Zweité"]
    assert any("UTF-8" in fault.message for fault in found.faults)


def test_scripts_and_handlers_stay_behind_and_pictures_are_named():
    item = ITEM.replace(
        "<p>Which?</p>",
        '<p onclick="steal()">Which<script>steal()</script>? <img src="../../a.png" alt="A map"/></p>'
        '<object data="x.swf"/><p><a href="javascript:steal()">here</a></p>',
    )
    found = QTI.read(item.encode(), "x.xml")
    (question,) = found.questions
    assert "steal()" not in question.prompt.replace("javascript:steal()", "")
    assert "onclick" not in question.prompt
    assert "[A map]" in question.prompt
    said = " ".join(loss.message for loss in found.losses)
    assert "script" in said
    assert "`a.png`" in said


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('adaptive="false"', 'adaptive="true"'), "adaptive"),
        (("<itemBody>", "<templateDeclaration identifier='T'/><itemBody>"), "draws its values"),
        (("choiceInteraction", "drawingInteraction"), "`drawingInteraction` has no form"),
        (("<p>Which?</p>", '<extendedTextInteraction responseIdentifier="RESPONSE"/>'), "2 questions at once"),
        (('<responseDeclaration identifier="RESPONSE"', '<responseDeclaration identifier="R2"'), "doesn't declare its response"),
    ],
)  # fmt: skip
def test_what_has_no_form_here_is_named(change, says):
    found = QTI.read(ITEM.replace(*change).encode(), "x.xml")
    assert found.questions == ()
    assert says in found.faults[0].message


@settings(max_examples=60)
@given(data=st.data())
def test_damaged_bytes_never_break_the_reader(data):
    raw = bytearray(
        data.draw(
            st.sampled_from(
                [ITEM.encode(), zipped({"imsmanifest.xml": MANIFEST.format(resource("a.xml")), "a.xml": ITEM})]
            )
        )
    )
    for _ in range(data.draw(st.integers(1, 12))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    for name in ("qti-1.2", "qti-2.1"):
        try:
            found = FORMATS[name].read(bytes(raw), "x")
        except FormatRefused:
            continue
        assert all(isinstance(question, Question) for question in found.questions)
    FORMATS["qti-3.0"].sniff(bytes(raw))


@settings(max_examples=60)
@given(data=st.data())
def test_items_with_parts_missing_never_break_the_reader(data):
    lines = ITEM.split("\n")
    kept = [
        line for line in lines if data.draw(st.booleans()) or line.startswith(("<?xml", "<assess", "</assess"))
    ]
    swapped = "\n".join(kept).replace(
        *data.draw(st.sampled_from([("identifier", "ident"), ("b", ""), ("0", "nan"), ("value", "x")]))
    )
    try:
        found = QTI.read(swapped.encode(), "x.xml")
    except FormatRefused:
        return
    assert len(found.questions) <= 1
