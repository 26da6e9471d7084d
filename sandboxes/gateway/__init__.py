"""The gateway: the only thing served on the sandbox origin, and what Jupyter behind it is configured with.

`create_gateway` lives in `sandboxes.gateway.app`; nothing is imported here, because
`sandboxes.gateway.jupyter_start` runs inside sandboxes, where each import costs start time.
"""
