"""Leaves out the task cells but one, whose code claims to be all of them."""

SAYS = "is missing from the notebook"


def submission(honest):
    import json

    notebook = json.loads(honest)
    notebook["cells"] = [cell for cell in notebook["cells"] if "task" not in cell["metadata"]]
    cell = {"cell_type": "code", "id": "task-sum-up", "metadata": {"task": "sum-up, sell-once, write-report"}}
    notebook["cells"].append({**cell, "outputs": [], "execution_count": None, "source": "total = 1"})
    cell["metadata"] = {"task": "sum-up"}
    notebook["cells"].append(
        {**cell, "id": "x", "outputs": [], "execution_count": None, "source": "total = lambda _: 0"}
    )
    return json.dumps(notebook).encode()
