"""Makes text and raw cells of the task cells, so that nothing runs and the tasks seem there."""

SAYS = "none of the task cells|is missing"


def submission(honest):
    import json

    notebook = json.loads(honest)
    for number, cell in enumerate(notebook["cells"]):
        cell["cell_type"] = "raw" if number % 2 else "markdown"
    return json.dumps(notebook).encode()
