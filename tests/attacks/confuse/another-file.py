"""Hands in a zip file by the notebook's name."""

SAYS = "not valid JSON"


def submission(honest):
    import io
    import zipfile

    box = io.BytesIO()
    with zipfile.ZipFile(box, "w") as file:
        file.writestr("target.ipynb", honest)
    return box.getvalue()
