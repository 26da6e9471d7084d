"""Puts halves of characters into code, ids, metadata and names, which no encoder takes."""

LOCAL = True


def submission(honest):
    import json

    notebook = json.loads(honest)
    for cell in notebook["cells"]:
        cell["id"] = "\ud800"
        cell["metadata"] = {"task": "\udfff", "\ud800": "\ud800"}
        cell["source"] = "# \ud83d\nprint('\udc00')\n" + str(cell["source"])
    for task in ("sum-up", "sell-once", "write-report"):
        cell = {"cell_type": "code", "id": f"task-{task}", "metadata": {}, "outputs": [], "execution_count": 1}
        notebook["cells"].append({**cell, "source": "raise RuntimeError('\\ud800 \\x00 \\x1b[2J \\u202e')"})
    return json.dumps(notebook).encode()
