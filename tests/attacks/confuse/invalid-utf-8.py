"""Puts bytes that are not UTF-8 into the notebook's code."""

SAYS = "not valid JSON"


def submission(honest):
    return honest.replace(b"def total", b"# \xff\xfe\xc0\x80\xed\xa0\x80\\ndef total")
