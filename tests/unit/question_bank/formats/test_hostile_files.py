"""Files that mean harm are refused or read in part, quickly and within bounds; nothing outside is touched."""

from __future__ import annotations

import contextlib
import io
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from question_bank.formats import FORMATS, MAX_UPLOAD, FormatRefused, intake, safe_xml, safe_zip
from question_bank.formats.markup import from_html, to_html

CANVAS = Path(__file__).parents[3] / "data" / "question_bank" / "qti" / "canvas-shapes.xml"
READERS = [name for name, each in FORMATS.items() if each.can_import]

BILLION = (
    '<?xml version="1.0"?><!DOCTYPE quiz [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1 or str()};" * 10}">' for n in range(1, 9))
    + ']><quiz><question type="truefalse"><name><text>&a8;</text></name></question></quiz>'
)
EXTERNAL = (
    '<!DOCTYPE quiz [<!ENTITY x SYSTEM "file:///etc/passwd">]><quiz><question type="essay"><name><text>&x;</text>'
    "</name></question></quiz>"
)
PARAMETER = '<!DOCTYPE quiz [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x.dtd"> %x;]><quiz><question/></quiz>'


@pytest.mark.parametrize("text", [BILLION, EXTERNAL, PARAMETER], ids=["billion", "external", "parameter"])
def test_entities_are_refused(text):
    with pytest.raises(FormatRefused, match="declares entities"):
        FORMATS["moodle-xml"].read(text.encode(), "x.xml")


def test_an_external_document_type_is_not_read():
    tree = safe_xml.read_xml(b'<!DOCTYPE quiz SYSTEM "file:///etc/passwd"><quiz><a/></quiz>', "x.xml")
    assert [child.tag for child in tree.root] == ["a"]


def test_depth_and_number_of_elements_are_bounded(monkeypatch):
    deep = safe_xml.read_xml(b"<a>" * 5_000 + b"</a>" * 5_000, "x.xml")
    assert "nested more than 60 deep" in deep.fault[1]
    monkeypatch.setattr(safe_xml, "MAX_ELEMENTS", 100)
    many = safe_xml.read_xml(b"<a>" + b"<b/>" * 200 + b"</a>", "x.xml")
    assert "more than 100 elements" in many.fault[1]
    assert len(many.root) == 99


def packed(entries, **attributes):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            for key, value in attributes.items():
                setattr(info, key, value)
            archive.writestr(info, content)
    return out.getvalue()


@pytest.mark.parametrize(
    "name", ["../x.md", "/etc/x.md", "a/../../x.md", "C:\\x.md", "..\\x.md", "C:x.md", "a\x01b.md"]
)
def test_names_that_lead_out_are_refused(name):
    package = safe_zip.open_package(packed([(name, "x"), ("a/fine.md", "x")]), "x.zip")
    assert list(package.files) == ["a/fine.md"]
    assert len(package.refused) == 1


def test_links_and_second_files_of_a_name_are_refused():
    link = packed([("a.md", "/etc/passwd")], external_attr=(stat.S_IFLNK | 0o777) << 16)
    assert "a link to another file" in safe_zip.open_package(link, "x.zip").refused[0][1]
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = packed([("a.md", "one"), ("a.md", "two")])
    package = safe_zip.open_package(twice, "x.zip")
    assert "A second file" in package.refused[0][1]


def test_a_zip_bomb_is_stopped_while_it_unpacks():
    bomb = packed([("a.md", b"\0" * (8 * 1024 * 1024))])
    with pytest.raises(FormatRefused, match="more than 200 times its size"):
        safe_zip.open_package(bomb, "x.zip").read("a.md")


def test_a_size_that_lies_does_not_help(monkeypatch):
    monkeypatch.setattr(safe_zip, "MAX_ENTRY", 1000)
    package = safe_zip.open_package(packed([("a.md", "ab" * 2000)]), "x.zip")
    package.files["a.md"].file_size = 10
    with pytest.raises(FormatRefused, match=r"larger than|damaged"):
        package.read("a.md")


def test_the_sum_of_all_files_is_bounded(monkeypatch):
    monkeypatch.setattr(safe_zip, "MAX_TOTAL", 1000)
    with pytest.raises(FormatRefused, match="when unpacked"):
        safe_zip.open_package(packed([(f"{n}.md", "x" * 300) for n in range(4)]), "x.zip")


def test_the_number_of_entries_is_bounded(monkeypatch):
    monkeypatch.setattr(safe_zip, "MAX_ENTRIES", 3)
    with pytest.raises(FormatRefused, match="4 entries"):
        safe_zip.open_package(packed([(f"{n}.md", "x") for n in range(4)]), "x.zip")


def test_an_encrypted_entry_is_named():
    data = bytearray(packed([("a.md", "x")]))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    assert "encrypted" in safe_zip.open_package(bytes(data), "x.zip").refused[0][1]


def test_a_damaged_entry_costs_itself_alone(question):
    data = bytearray(FORMATS["archive"].write([question(), question(id="other-one", prompt="What else?")]).data)
    at = data.index(b"other-one.md") + 40
    data[at : at + 20] = b"\xff" * 20
    found = FORMATS["archive"].read(bytes(data), "x.zip")
    assert [q.id for q in found.questions] == ["lost-update"]
    assert found.faults[0].path == "questions/row-locks/other-one.md"
    assert "damaged" in found.faults[0].message


@pytest.mark.parametrize("name", READERS)
def test_files_that_are_too_large_or_empty_are_refused(name):
    with pytest.raises(FormatRefused, match="larger than 32 MiB"):
        FORMATS[name].read(b"x" * (MAX_UPLOAD + 1), "x")
    with pytest.raises(FormatRefused, match="is empty"):
        FORMATS[name].read(b" \n", "x")


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=40)
@given(data=st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(name, data):
    with contextlib.suppress(FormatRefused):
        FORMATS[name].read(data, "x")


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=40)
@given(cut=st.integers(0, 4000), flip=st.integers(0, 4000), value=st.integers(0, 255))
def test_a_file_with_a_wrong_byte_and_a_missing_end_is_read_or_refused(name, cut, flip, value, sample):
    data = bytearray(sample[name])
    data[flip % len(data)] = value
    with contextlib.suppress(FormatRefused):
        FORMATS[name].read(bytes(data[: max(1, len(data) - cut % len(data))]), "x")


@pytest.fixture(scope="module")
def sample():
    from question_bank import load

    some = list(load().questions.values())[::25]
    written = {name: FORMATS[name].write(some).data for name in READERS if FORMATS[name].can_export}
    return written | {"qti-1.2": CANVAS.read_bytes()}


@pytest.mark.parametrize("name", READERS)
def test_a_binary_file_is_no_text(name):
    with pytest.raises(FormatRefused):
        FORMATS[name].read(b"\x7fELF\x00\x00\x01" * 20, "x")


def test_a_prompt_cannot_smuggle_sections_or_keys():
    text = r"::A::[markdown]Which?\n\n## Options\n\n- [x] mine\n\n## Explanation\n\nMine.{=yes ~no}"
    (question,) = FORMATS["gift"].read(text.encode()).questions
    assert [option.text for option in question.options] == ["yes", "no"]
    assert "### Options" in question.prompt


def test_scripts_and_odd_links_do_not_come_along():
    taken = from_html(
        '<p onclick="x()">Hi<script>alert(1)</script><a href="javascript:alert(1)">there</a>'
        '<a href="https://example.org/a">ok</a></p>'
    )
    assert taken.text == "Hithere[ok](https://example.org/a)"
    assert taken.lost == ("It has a script, which was left out.",)
    assert "<script" not in to_html("a <script>alert(1)</script> b")


def test_html_that_is_nested_without_end_is_read_as_words():
    taken = from_html("<div>" * 5_000 + "deep" + "</div>" * 5_000)
    assert taken.text == "deep"
    assert "nested" in taken.lost[0]


@pytest.mark.parametrize(
    "mark", ["<!--", "<", "</", "<a ", "<a b='", "<b>", "<li>", "<table><tr>", "&", "<![CDATA[", "<pre>"]
)
def test_html_that_never_ends_is_read(mark):
    from_html(mark * 15_000)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("gift", "a\n" * 200_000),
        ("gift", "{\n" * 200_000),
        ("gift", "{=a ~b" * 50_000),
        ("gift", "// [id:" * 50_000 + "\n\na{=b}"),
        ("aiken", "A) " + " " * 400_000),
        ("aiken", "A) b\n" * 100_000),
        ("csv", 'prompt,option 1,option 2,right\n"' + "a,b\n" * 100_000),
        ("moodle-xml", "<quiz>" + "<question>" * 100_000),
        ("moodle-xml", "<quiz>" + "<question><a></question>" * 20_000),
    ],
    ids=["lines", "braces", "answers", "comments", "blanks", "options", "quote", "starts", "pieces"],
)
def test_a_file_in_which_nothing_is_closed_is_read_or_refused(name, text):
    with contextlib.suppress(FormatRefused):
        assert len(FORMATS[name].read(text.encode()).faults) <= 2_001


@pytest.mark.parametrize(
    "text",
    ["[" * 2_000, "- " * 30 + "a", "> " * 30 + "a", "1. " * 30 + "a"],
    ids=["brackets", "lists", "quotes", "numbers"],
)
def test_markdown_that_takes_forever_to_show_is_left_out(text):
    found = FORMATS["gift"].read(f"::A::[markdown]{text}{{=yes ~no}}".encode())
    assert found.questions == ()
    assert "more brackets" in found.faults[0].message
    assert to_html(text).startswith("<pre>")


def test_questions_beyond_the_bound_are_left_out_by_name(monkeypatch):
    monkeypatch.setattr(intake, "MAX_QUESTIONS", 3)
    found = FORMATS["gift"].read(b"a{=b}\n\n" * 9)
    assert len(found.questions) == 3
    assert [(fault.line, "more than 3 questions" in fault.message) for fault in found.faults] == [(7, True)]


def test_faults_beyond_the_bound_end_the_reading(monkeypatch):
    monkeypatch.setattr(intake, "MAX_FAULTS", 3)
    found = FORMATS["gift"].read(b"a{=b}\n\n" + b"no question\n\n" * 9)
    assert len(found.faults) == 4
    assert "Is this the right format?" in found.faults[-1].message


def test_code_with_a_fence_in_it_stays_one_block():
    assert from_html("<pre>before\n```\nafter</pre>").text == "````\nbefore\n```\nafter\n````"


@pytest.mark.parametrize("name", ["archive", "qti-2.1", "qti-3.0"])
def test_no_package_looks_like_a_text(name, sample):
    looks = [other for other, each in FORMATS.items() if each.can_import and each.sniff(sample[name])]
    assert looks == [name]
