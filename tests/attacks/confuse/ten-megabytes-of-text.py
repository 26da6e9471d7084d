"""Hands in as much text as is allowed, all of it markup that grows when it is shown."""

EARNS = "honest"


def submission(honest):
    import json

    notebook = json.loads(honest)
    for number in range(9):
        text = "&<>* a\n" * 140_000
        notebook["cells"].append({"cell_type": "markdown", "id": f"z{number}", "metadata": {}, "source": text})
    return json.dumps(notebook).encode()
