"""Puts objects where texts belong and texts where lists belong."""

SAYS = "broken|not a Jupyter notebook"


def submission(honest):
    import json

    notebook = json.loads(honest)
    notebook["cells"][1]["source"] = {"toString": "total"}
    notebook["cells"][0]["metadata"] = "none"
    notebook["metadata"] = ["no", "object"]
    return json.dumps(notebook).encode()
