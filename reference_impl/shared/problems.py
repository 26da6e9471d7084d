"""Errors as RFC 9457 problem details (`application/problem+json`).

A service raises `Problem`; everything else that reaches the edge is translated here::

    Problem                      status, type and text chosen where it was raised
    RequestValidationError       422, with the fields at fault
    HTTPException                the framework's own: unknown path 404, wrong method 405
    Exception                    500: a bug; the detail goes to the log only
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Self

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from reference_impl.shared import logs

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:meridian:problem:"
_log = logs.logger("meridian.http")


class ProblemDetails(BaseModel):
    """The body of every error answer."""

    model_config = ConfigDict(extra="allow")

    type: Annotated[
        str, Field(description="`urn:meridian:problem:<name>`, or about:blank when the status says it all.")
    ]
    title: str
    status: int
    detail: str = ""
    instance: Annotated[str, Field(description="The path that was asked for.")] = ""


class Problem(Exception):
    """An error to be told to the caller."""

    def __init__(self, status: int, name: str, title: str, detail: str = "", **members: Any) -> None:
        super().__init__(detail or title)
        self.headers: Mapping[str, str] = {}
        self.status = status
        self.name = name
        self.title = title
        self.detail = detail
        self.members = members

    def with_headers(self, headers: Mapping[str, str]) -> Self:
        """This problem, answered with these headers too, such as Retry-After."""
        self.headers = headers
        return self


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route, for its OpenAPI description; `openapi.install` adds the schema."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def problem_answer(problem: Problem, path: str) -> JSONResponse:
    """A problem about this path as an answer."""
    kind = TYPE_PREFIX + problem.name
    answer = _answer(path, problem.status, kind, problem.title, problem.detail, **problem.members)
    answer.headers.update(problem.headers)
    return answer


def problem_response(
    request: Request, status: int, kind: str, title: str, detail: str = "", **members: Any
) -> JSONResponse:
    """One problem as an answer."""
    return _answer(request.url.path, status, kind, title, detail, **members)


def _answer(path: str, status: int, kind: str, title: str, detail: str, **members: Any) -> JSONResponse:
    body = ProblemDetails(type=kind, title=title, status=status, detail=detail, instance=path, **members)
    return JSONResponse(body.model_dump(mode="json"), status_code=status, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make every error of this application a problem document."""

    async def on_problem(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Problem)
        return problem_answer(error, request.url.path)

    async def on_invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        faults = [
            {"field": ".".join(str(part) for part in fault["loc"]), "message": str(fault["msg"])}
            for fault in error.errors()[:20]
        ]
        title = "The request is not valid"
        return problem_response(
            request, 422, TYPE_PREFIX + "invalid-request", title, faults[0]["message"], errors=faults
        )

    async def on_http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        title = HTTPStatus(error.status_code).phrase
        return problem_response(request, error.status_code, "about:blank", title, str(error.detail))

    async def on_bug(request: Request, error: Exception) -> JSONResponse:
        _log.error("unhandled error", path=request.url.path, exc_info=error)
        return problem_response(request, 500, "about:blank", "Internal Server Error", "It has been logged.")

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(Exception, on_bug)
