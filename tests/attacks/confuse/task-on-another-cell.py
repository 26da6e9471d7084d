"""Puts the task's name on an empty cell behind the broken one, to pass for its cell."""


def submission(honest):
    import json

    notebook = json.loads(honest)
    for cell in notebook["cells"]:
        if "task" in cell["metadata"]:
            cell["source"] = "raise RuntimeError('broken')"
            cell["metadata"] = {}
            cell["id"] = f"was-{cell['id']}"
    for task in ("sum-up", "sell-once", "write-report"):
        cell = {
            "cell_type": "code",
            "id": f"x-{task}",
            "metadata": {"task": task},
            "outputs": [],
            "execution_count": 1,
        }
        notebook["cells"].append({**cell, "source": "passed = True"})
    return json.dumps(notebook).encode()
