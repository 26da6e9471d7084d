"""Prints control characters, halves of characters, terminal commands and reversed text."""

LOCAL = True
CELL = "last"
KEEPS = True
print(
    "\x00\x01\x07\x08\x0b\x1b[2J\x1b]0;title\x07\x1b[31;1mred\x1b[999999C\x1b[38;5;999m\u202e\u2066\ufeff\ud800 half \udc00"
)
publish = get_ipython().display_pub.publish
publish({"text/html": "<p title='\x00\ud800'>\x00\udfff</p>", "text/plain": "\ud800"})
raise RuntimeError("\x00\ud800\x1b[2J\u202e\r\n" * 5)
