"""Answers with infinities and NaN in the disguise of ordinary JSON numbers."""

LOCAL = True
import itertools
import sys

texts = itertools.cycle(["1e999", "-1e999", "NaN", "[1e999]", '{"1": 1e999}'])


class Answer:
    def _repr_mimebundle_(self, **_):
        text = next(texts)
        return {
            "application/json": {"ok": True, "text": text, "calls": [{"text": text}] * 40},
            "text/plain": "",
        }


sys.modules["_sandbox_bridge"].answer = lambda *_: Answer()
sold = {}
