"""Gives all cells the same id, which every index built on ids would mix up."""

LOCAL = True
EARNS = "honest"


def submission(honest):
    import json

    notebook = json.loads(honest)
    for cell in notebook["cells"]:
        cell["id"] = "task-sum-up"
    return json.dumps(notebook).encode()
