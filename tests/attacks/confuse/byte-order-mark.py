"""Puts a byte order mark before an honest notebook."""

LOCAL = True
EARNS = "honest"
KEEPS = True


def submission(honest):
    return b"\xef\xbb\xbf" + honest
