"""Names another kernel and language, one with a command line of its own."""

LOCAL = True
EARNS = "honest"


def submission(honest):
    import json

    notebook = json.loads(honest)
    notebook["metadata"]["kernelspec"] = {
        "name": "../../../tmp/attack-was-here", "language": "bash", "display_name": "Bash",
        "argv": ["sh", "-c", "touch /tmp/attack-was-here"], "env": {"PYTHONPATH": "/tmp"},
    }  # fmt: skip
    notebook["metadata"]["language_info"] = {"name": "bash", "pygments_lexer": "bash", "file_extension": ".sh"}
    return json.dumps(notebook).encode()
