"""Hands in code on which highlighters are known to spend hours, in cells that are never run."""

EARNS = "honest"


def submission(honest):
    import json

    notebook = json.loads(honest)
    texts = [
        "'" * 100_001,
        '"""' * 30_001,
        "\\" * 100_000,
        "f'{" * 20_000,
        "%" * 50_000,
        "(" * 50_000,
        "@" * 50_000,
        "0x_" * 20_000,
    ]
    for number, text in enumerate(texts):
        cell = {"cell_type": "code", "id": f"y{number}", "metadata": {}, "outputs": [], "execution_count": None}
        notebook["cells"].append({**cell, "source": f"'''\n{text}" if number % 2 else f"{text}\n"})
    return json.dumps(notebook).encode()
