"""What a learner's notebook imports: `from labkit import lab`.

It needs only the standard library, httpx and psycopg, so that it works in a sandbox as well as in any Jupyter on a laptop.
"""
