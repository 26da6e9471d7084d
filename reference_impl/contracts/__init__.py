"""The contract that Meridian publishes, generated from the code and checked in beside this file."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from reference_impl.shared.settings import Settings
from reference_impl.topologies import monolith

OPENAPI = Path(__file__).parent / "openapi.json"


def openapi() -> str:
    """The OpenAPI document of the running code, as the text that is checked in."""
    with tempfile.TemporaryDirectory() as directory:
        built = monolith.build(Settings(data=Path(directory)))
        document = built.app.openapi()
        built.runtime.stop()
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
