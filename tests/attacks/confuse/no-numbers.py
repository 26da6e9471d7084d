"""Puts NaN, infinities and numbers without end where counts and metadata belong."""

LOCAL = True
EARNS = "honest"


def submission(honest):
    text = honest.decode().replace('"execution_count": null', '"execution_count": NaN')
    return text.replace('"metadata": {', '"metadata": {"a": Infinity, "b": -Infinity, "c": 1e999, ', 1).encode()
