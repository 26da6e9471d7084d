"""Replaces the bridge by one whose refusals quote the question."""

LOCAL = True
import sys


class Refusal:
    def __init__(self, request):
        self.request = request

    def _repr_mimebundle_(self, **_):
        document = {"ok": False, "kind": "learner_code", "name": self.request, "detail": self.request}
        return {"application/json": document, "text/plain": ""}


sys.modules["_sandbox_bridge"].answer = lambda names, request: Refusal(request)
sold = {}
