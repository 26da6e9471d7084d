"""Writes its cells in other languages by magics: shell, HTML, JavaScript, and files."""

LOCAL = True


def submission(honest):
    import json

    notebook = json.loads(honest)
    sources = iter(
        [
            "%%bash\necho passed; exit 0",
            "%%html\n<script>document.title = 'passed'</script><img src=x onerror=alert(1)>",
            "%%javascript\nalert('passed')",
        ]
    )
    for cell in notebook["cells"]:
        if "task" in cell["metadata"]:
            cell["source"] = next(sources)
    return json.dumps(notebook).encode()
