"""Floods the kernel's public channel with comm messages, results and errors that are forged for other cells."""

LOCAL = True
kernel = get_ipython().kernel
for number in range(100):
    parent = {
        "header": {"msg_id": f"forged-{number}", "msg_type": "execute_request"},
        "msg_id": f"forged-{number}",
    }
    for kind, content in (
        ("comm_open", {"comm_id": "x", "target_name": "jupyter.widget", "data": {"state": {"score": 100}}}),
        ("comm_msg", {"comm_id": "x", "data": {"method": "update", "buffer_paths": [["a"]], "state": []}}),
        ("execute_result", {"data": {"text/plain": "passed"}, "metadata": {}, "execution_count": 1}),
        ("status", {"execution_state": "dead"}),
        ("execute_input", {"code": "x", "execution_count": "many"}),
        ("stream", ["not", "an", "object"]),
        ("error", {"ename": "Passed", "evalue": "100 points", "traceback": []}),
        ("no_such_kind", {"passed": True}),
    ):
        kernel.session.send(kernel.iopub_socket, kind, content, parent=parent if number % 2 else None)
