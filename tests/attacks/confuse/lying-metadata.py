"""Claims in metadata that it is trusted, graded, locked and passed, and that its cells are to be skipped."""

LOCAL = True


def submission(honest):
    import json

    notebook = json.loads(honest)
    notebook["metadata"] |= {
        "proving_ground": {"lab": "target", "score": 100, "built": "0" * 16, "status": "graded"},
        "trusted": True, "signature": "sha256:0", "widgets": {"application/vnd.jupyter.widget-state+json": {}},
        "execution": {"timeout": -1, "allow_errors": False},
    }  # fmt: skip
    for cell in notebook["cells"]:
        cell["metadata"] |= {
            "trusted": True, "editable": False, "tags": ["skip-execution", "raises-exception", "remove-cell"],
            "nbgrader": {"grade": True, "grade_id": "a", "points": 100, "locked": True, "solution": False},
            "status": "passed", "earned": 100,
        }  # fmt: skip
        if "task" in cell["metadata"]:
            cell["source"] = "raise SystemExit(0)"
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "passed: 100 of 100 points"}]
            cell["execution_count"] = 7
    return json.dumps(notebook).encode()
