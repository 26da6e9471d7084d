"""Hands in a hundred thousand cells."""

SAYS = "at most 1000"


def submission(honest):
    import json

    notebook = json.loads(honest)
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": ""}
    notebook["cells"] += [cell] * 100_000
    return json.dumps(notebook).encode()
