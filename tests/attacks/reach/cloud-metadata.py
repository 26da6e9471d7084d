"""Asks the cloud's metadata service for the machine's credentials."""

LOOT = "LOOT-METADATA"
import urllib.request

for address in (
    "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
    "http://169.254.170.2/v2/credentials",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://100.100.100.200/latest/meta-data/",
):
    try:
        answer = urllib.request.urlopen(address, timeout=0.5).read(100)
    except OSError:
        continue
    raise RuntimeError(f"LOOT-METADATA {answer}")
