"""Displays outputs whose parts are of the wrong type, which break whoever turns them into a page."""

LOCAL = True
CELL = "last"
kernel, session = get_ipython().kernel, get_ipython().kernel.session
parent = get_ipython().get_parent()


def send(kind, content):
    session.send(kernel.iopub_socket, kind, content, parent=parent)


for kind in (
    "text/html",
    "image/png",
    "image/jpeg",
    "image/svg+xml",
    "text/markdown",
    "text/latex",
    "text/plain",
):
    for value in (5, None, {"a": 1}, [1, 2], True, [["x"]]):
        send("display_data", {"data": {kind: value}, "metadata": {kind: 5}, "transient": {}})
        send("execute_result", {"data": {kind: value}, "metadata": {}, "execution_count": "x"})
send("display_data", {"data": 7, "metadata": [], "transient": {}})
send("stream", {"name": ["x"], "text": {"a": 1}})
send("stream", {"name": "stdout", "text": 5})
send("error", {"ename": 5, "evalue": {"a": 1}, "traceback": "text"})
send("error", {"ename": None, "evalue": None, "traceback": [5, None]})
