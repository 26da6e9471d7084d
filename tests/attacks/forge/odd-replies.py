"""Sends replies of every wrong shape: lists for objects, numbers for texts, and objects without an end."""

LOCAL = True
import itertools

shapes = itertools.cycle(
    [
        None,
        [],
        {"answer": []},
        {"answer": {"status": "ok"}},
        {"answer": {"status": "ok", "data": {"application/json": []}}},
        {"answer": {"status": "ok", "data": {"application/json": {"ok": "yes", "text": 5}}}},
        {"answer": {"status": "error", "evalue": [1], "ename": {"a": 1}}},
        {"answer": {"status": "ok", "data": {"application/json": {"ok": True, "calls": "all"}}}},
    ]
)
get_ipython().user_expressions = lambda wanted: next(shapes)
total = sell = write_report = lambda *_: 1
sold = {}
