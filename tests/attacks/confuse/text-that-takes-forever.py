"""Hands in texts on which Markdown converters are known to spend hours."""

EARNS = "honest"


def submission(honest):
    import json

    notebook = json.loads(honest)
    texts = ["[" * 50_000, "![" * 30_000 + "](", "`" * 20_001, "*_" * 30_000, "<" * 50_000, ">" * 20_000, "- " * 5_000,
             "[a](" * 20_000, "$$" * 20_000, "\n|a" * 10_000, "[^1]: " * 10_000, "<!--" * 20_000, "[a]: <" * 10_000,
             "1) " * 5_000, "&" * 50_000, "\\begin{a}" * 8_000, "**a" * 20_000, "~~" * 20_000]  # fmt: skip
    for number, text in enumerate(texts):
        notebook["cells"].append({"cell_type": "markdown", "id": f"x{number}", "metadata": {}, "source": text})
    return json.dumps(notebook).encode()
