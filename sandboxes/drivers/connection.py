"""HTTP to an agent: deadlines, size caps, and answers turned into the errors of the interface.

Who answers may be the learner's code in disguise, so nothing here believes an answer: shapes are checked and sizes are bounded.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from sandboxes.interface import AgentTimeout, KernelDied, LearnerCodeError, SandboxError, SandboxGone, TooLarge
from sandboxes.protocol import ANSWER_BYTES, DETAIL_CHARACTERS, ErrorKind

CONNECT_SECONDS = 5.0


class AgentConnection:
    """Requests to one agent. Each opens its own connection: they are rare, and a stale one can't surprise us."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def ask(
        self,
        method: str,
        path: str,
        seconds: float,
        *,
        body: Mapping[str, Any] | bytes | None = None,
        query: Mapping[str, str] | None = None,
    ) -> bytes:
        """The body of a successful answer.

        Raises AgentTimeout, SandboxGone, TooLarge, KernelDied, LearnerCodeError, FileNotFoundError, SandboxError.
        """
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        deadline = time.monotonic() + seconds
        # No TLS on a Unix socket; `verify=True` would read all certificates, 20 ms for each request.
        transport = httpx.HTTPTransport(uds=str(self._socket), verify=False)
        timeout = httpx.Timeout(seconds, connect=CONNECT_SECONDS)
        try:
            with (
                httpx.Client(transport=transport, base_url="http://sandbox", timeout=timeout) as client,
                client.stream(method, path, content=content, params=dict(query or {})) as response,
            ):
                received = bytearray()
                for chunk in response.iter_bytes():
                    received += chunk
                    if len(received) > ANSWER_BYTES:
                        raise TooLarge("The sandbox gave an answer that is too large.")
                    if time.monotonic() > deadline:
                        raise AgentTimeout(f"The sandbox did not answer within {seconds:g} s.")
                status = response.status_code
        except httpx.TimeoutException as error:
            raise AgentTimeout(
                f"The sandbox did not answer within {seconds:g} s.", detail=str(error)
            ) from error
        except httpx.TransportError as error:
            raise SandboxGone("The sandbox is not running any more.", detail=str(error)) from error
        except httpx.HTTPError as error:
            raise nonsense(repr(error)) from error
        if status != 200:
            raise _error(bytes(received))
        return bytes(received)

    def ask_json(self, path: str, seconds: float, body: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON object that a POST answers with. Raises like `ask`."""
        return _object(self.ask("POST", path, seconds, body=body))


def nonsense(detail: str) -> SandboxError:
    """The error for an answer that no agent of ours gives."""
    return SandboxError("The sandbox gave an answer that makes no sense.", detail=detail[:DETAIL_CHARACTERS])


def decode(text: Any) -> Any:
    """A value from its JSON text. Raises SandboxError."""
    if not isinstance(text, str):
        raise nonsense("the value is not JSON text")
    try:
        return json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise nonsense(f"the value is not JSON: {error}") from error


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits[:20]} is too large")
    return number


def _object(data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise nonsense(str(error)) from error
    if not isinstance(document, dict):
        raise nonsense("not an object")
    return document


def _error(data: bytes) -> Exception:
    """The interface's error for the agent's."""
    error = _object(data).get("error")
    if not isinstance(error, dict):
        return nonsense("an error without a reason")
    kind = str(error.get("kind"))
    detail = str(error.get("detail", ""))[:DETAIL_CHARACTERS]
    match kind:
        case ErrorKind.TIMEOUT:
            return AgentTimeout(detail)
        case ErrorKind.KERNEL_DIED:
            return KernelDied(detail)
        case ErrorKind.LEARNER_CODE:
            return LearnerCodeError(str(error.get("name", ""))[:200] or "Error", detail)
        case ErrorKind.TOO_LARGE:
            return TooLarge(detail)
        case ErrorKind.NOT_FOUND:
            return FileNotFoundError(detail)
        case _:
            return SandboxError(detail or "The sandbox could not do that.", detail=kind[:100])
