"""Ends the kernel in cell after cell, more often than cells are left out."""

import os


def submission(honest):
    import json

    notebook = json.loads(honest)
    for number in range(8):
        cell = {
            "cell_type": "code",
            "id": f"die{number}",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
        }
        notebook["cells"].insert(0, {**cell, "source": "import os\nos._exit(1)"})
    return json.dumps(notebook).encode()
