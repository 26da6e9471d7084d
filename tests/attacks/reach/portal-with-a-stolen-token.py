"""Speaks to the portal and to the gateway with a token that it stole from somebody else."""

LOOT = "LOOT-PORTAL"
import urllib.request

for host in ("127.0.0.1", "172.17.0.1", "localhost", "host.docker.internal"):
    for path in (
        "/api/submissions",
        "/labs/target/submit",
        "/s/0123456789ab/stolen-token-stolen-token-stolen/api/contents",
    ):
        request = urllib.request.Request(
            f"http://{host}:{HOST['port']}{path}",
            data=b'{"score": 100}',
            headers={"Authorization": "Bearer stolen-token", "Cookie": "session=stolen"},
        )
        try:
            answer = urllib.request.urlopen(request, timeout=0.2)
        except OSError:
            continue
        raise RuntimeError(f"LOOT-PORTAL {answer.status}")
