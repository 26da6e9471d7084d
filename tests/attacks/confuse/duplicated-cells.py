"""Hands in every task cell twice, first empty and then again with the same ids."""


def submission(honest):
    import json

    notebook = json.loads(honest)
    tasks = [cell for cell in notebook["cells"] if "task" in cell["metadata"]]
    notebook["cells"] = [*tasks, *({**cell, "source": "total = sell = write_report = print"} for cell in tasks)]
    return json.dumps(notebook).encode()
