"""Floods the kernel's channels with small messages of kinds that nobody counts."""

CELL = "last"
SAYS = "took longer|printed more|ended|broke"
kernel = get_ipython().kernel
while True:
    kernel.session.send(
        kernel.iopub_socket, "comm_msg", {"comm_id": "x", "data": {}}, parent=get_ipython().get_parent()
    )
