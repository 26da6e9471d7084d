"""Hands in texts and stored outputs full of script, marked as trusted."""

LOCAL = True
EARNS = "honest"


def submission(honest):
    import json

    notebook = json.loads(honest)
    hostile = (
        "<script>alert(1)</script><img src=x onerror=alert(1)><svg onload=alert(1)><iframe srcdoc='<script>1</script>'>"
        "<a href='javascript:alert(1)'>a</a><form action=/labs/target/submit><button formaction=javascript:x>b</button></form>"
        "<style>*{display:none}</style><math><mi//xlink:href='data:x,<script>1</script>'><base href=//evil.example>"
        "<div hx-get=/admin hx-trigger=load style='position:fixed'>c</div>[a](javascript:alert(1)) ![b](data:text/html,x)\n"
        "<noscript><p title='</noscript><img src=x onerror=alert(1)>'><template><script>1</script></template>\n\n$\\href{javascript:alert(1)}{x}$"
    )
    outputs = [{"output_type": "display_data", "data": {"text/html": hostile}, "metadata": {"isolated": True}}]
    notebook["cells"].insert(
        0, {"cell_type": "markdown", "id": "m", "metadata": {"trusted": True}, "source": hostile}
    )
    code = f"from IPython.display import *\ndisplay(HTML({hostile!r}), Markdown({hostile!r}), SVG('<svg onload=\"1\"/>'), Javascript('1'))"
    cell = {"cell_type": "code", "id": "c", "metadata": {"trusted": True}, "execution_count": 1, "source": code}
    notebook["cells"].insert(1, {**cell, "outputs": outputs})
    return json.dumps(notebook).encode()
