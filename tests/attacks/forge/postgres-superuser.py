"""Signs in to PostgreSQL as its superuser and has the server run a program with the server's rights."""

LAB = "never-oversell"
LOOT = "LOOT-PROGRAM"
import psycopg

try:
    with psycopg.connect(user="postgres", dbname="postgres", connect_timeout=2) as connection:
        with connection.cursor().copy(
            "COPY (SELECT 1) TO PROGRAM 'cat > /tmp/loot-ran; id >> /tmp/loot-ran'"
        ) as copy:
            pass
except (psycopg.Error, OSError):
    pass
try:
    with psycopg.connect(user="postgres", dbname="postgres", connect_timeout=2) as connection:
        connection.execute("COPY (SELECT 1) TO PROGRAM 'cat > /dev/null'")
except (psycopg.Error, OSError):
    pass
else:
    raise RuntimeError("LOOT-PROGRAM the server ran it")
