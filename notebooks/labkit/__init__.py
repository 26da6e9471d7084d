"""What a learner's notebook imports: `from labkit import lab`, and `load`, `live`, `timeline`, `tables`, `chaos` where they help.

It needs the standard library, and of the clients (httpx, psycopg, redis, confluent_kafka) those whose service a lab uses: they
are imported only then. So it works in a sandbox as well as in any Jupyter on a laptop.
"""
