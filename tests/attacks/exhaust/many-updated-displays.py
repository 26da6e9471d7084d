"""Multiplies small outputs beyond what an answer may hold, cell after cell."""

CELL = "last"
import json

session, kernel = get_ipython().kernel.session, get_ipython().kernel
parent = get_ipython().get_parent()
for _ in range(600):
    content = {"data": {}, "metadata": {}, "transient": {"display_id": "a"}}
    session.send(kernel.iopub_socket, "display_data", content, parent=parent)
content = {"data": {"a": "x" * 9_000}, "metadata": {}, "transient": {"display_id": "a"}}
session.send(kernel.iopub_socket, "update_display_data", content, parent=parent)
