"""Hands in a thousand cells that each take a little less time than a cell may."""

SECONDS = 7


def submission(honest):
    import json

    notebook = json.loads(honest)
    cell = {
        "cell_type": "code",
        "metadata": {},
        "outputs": [],
        "execution_count": None,
        "source": "import time; time.sleep(3)",
    }
    notebook["cells"] = [{**cell, "id": f"s{number}"} for number in range(900)] + notebook["cells"]
    return json.dumps(notebook).encode()
