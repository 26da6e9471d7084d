"""Returns, displays and writes JSON that is nested a hundred thousand levels deep."""

LOCAL = True
import sys

from IPython.display import JSON, display

deep = "[" * 100_000 + "]" * 100_000
nested = []
for _ in range(900):
    nested = [nested]
get_ipython().display_pub.publish({"application/json": nested, "text/plain": deep[:1_000]})


class Answer:
    def _repr_mimebundle_(self, **_):
        return {
            "application/json": {"ok": True, "text": deep, "calls": [{"text": deep}] * 40},
            "text/plain": "",
        }


sys.modules["_sandbox_bridge"].answer = lambda *_: Answer()
sold = {}
