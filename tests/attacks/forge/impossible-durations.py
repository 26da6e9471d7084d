"""Answers concurrent calls with durations that no float can hold."""

LOCAL = True
import sys

original = sys.modules["_sandbox_bridge"].answer


class Answer:
    def _repr_mimebundle_(self, **_):
        return {
            "application/json": {"ok": True, "calls": [{"text": "1", "milliseconds": 10**400}] * 40},
            "text/plain": "",
        }


sys.modules["_sandbox_bridge"].answer = lambda names, wish: (
    Answer() if '"call_many"' in wish else original(names, wish)
)
sold = {}
