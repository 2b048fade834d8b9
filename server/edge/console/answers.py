"""The answers of the console: JSON, refusals, and messages of the contract as proto3 JSON."""

import asyncio
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, TypeVar

import grpc
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from google.protobuf import json_format
from google.protobuf.message import Message

from server.base.errors import Reason, Refusal
from server.edge.status import CODE_OF, to_status_message

MOST_BYTES: Final = 64 * 1024
"""The maximum size of the body of a request."""
_READ_SECONDS: Final = 10.0
STRANGER_SECONDS: Final = 2.0
"""The time for the body of a request that needs no session."""
_MOST_DEPTH: Final = 16

_C = grpc.StatusCode
_STATUS: Final[Mapping[grpc.StatusCode, HTTPStatus]] = {
    _C.INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
    _C.FAILED_PRECONDITION: HTTPStatus.BAD_REQUEST,
    _C.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    _C.PERMISSION_DENIED: HTTPStatus.FORBIDDEN,
    _C.NOT_FOUND: HTTPStatus.NOT_FOUND,
    _C.ABORTED: HTTPStatus.CONFLICT,
    _C.ALREADY_EXISTS: HTTPStatus.CONFLICT,
    _C.RESOURCE_EXHAUSTED: HTTPStatus.TOO_MANY_REQUESTS,
    _C.DATA_LOSS: HTTPStatus.INTERNAL_SERVER_ERROR,
    _C.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
    _C.UNIMPLEMENTED: HTTPStatus.NOT_IMPLEMENTED,
    _C.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    _C.DEADLINE_EXCEEDED: HTTPStatus.GATEWAY_TIMEOUT,
}
"""The HTTP status of each code, as google.api maps them."""

_Request = TypeVar("_Request", bound=Message)


def json_answer(document: Mapping[str, Any], *, status: int = 200) -> web.Response:
    """Return a document as JSON."""
    return web.Response(body=json.dumps(document).encode(), content_type="application/json", status=status)


def message_answer(message: Message) -> web.Response:
    """Return a message of the contract as proto3 JSON."""
    return web.Response(
        body=json_format.MessageToJson(message, indent=None).encode(), content_type="application/json"
    )


def refused_answer(refusal: Refusal) -> web.Response:
    """Return a refusal: the HTTP status of its code, and its ``google.rpc.Status`` as proto3 JSON."""
    answer = message_answer(to_status_message(refusal))
    answer.set_status(http_status(refusal))
    if refusal.retry_after is not None:
        answer.headers["Retry-After"] = str(max(1, round(refusal.retry_after)))
    return answer


def http_status(refusal: Refusal) -> int:
    """Return the HTTP status of a refusal."""
    if isinstance(refusal.__cause__, web.HTTPRequestEntityTooLarge):
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    return _STATUS[CODE_OF[refusal.reason]]


async def read_json(request: web.Request) -> dict[str, Any]:
    """Return the JSON object of a request without a session; raise as ``read_message``."""
    try:
        document = json.loads(await read_body(request, seconds=STRANGER_SECONDS))
    except (ValueError, RecursionError) as error:
        raise _no_message() from error
    if not isinstance(document, dict):
        raise _no_message()
    return document


async def read_message(request: web.Request, kind: type[_Request]) -> _Request:
    """Return the message of a request.

    Raises:
        Refusal: It is too large, did not arrive in time, or is not proto3 JSON of the type.
    """
    body = await read_body(request, seconds=_READ_SECONDS)
    # The library takes other JSON, such as a list, for an empty message.
    if not body.lstrip().startswith(b"{"):
        raise _no_message()
    try:
        return json_format.Parse(body, kind(), max_recursion_depth=_MOST_DEPTH)
    except (json_format.ParseError, ValueError, TypeError, RecursionError) as error:
        raise _no_message() from error


async def read_body(request: web.Request, *, seconds: float) -> bytes:
    """Return the body of a request.

    Raises:
        Refusal: It is too large, malformed, or did not arrive within ``seconds``.
    """
    try:
        async with asyncio.timeout(seconds):
            return await request.read()
    except TimeoutError as error:
        raise Refusal(
            Reason.STREAM_IDLE,
            f"the whole request did not arrive within {seconds:g} seconds",
            details={"idleSeconds": seconds},
        ) from error
    except ConnectionError as error:
        # Nobody gets this answer.
        raise Refusal(
            Reason.STREAM_IDLE, "the connection was lost before the whole request arrived"
        ) from error
    except (web.RequestPayloadError, HttpProcessingError) as error:
        raise Refusal(
            Reason.INVALID_FIELD, "the body is not encoded as its headers state", details={"field": "body"}
        ) from error
    except web.HTTPRequestEntityTooLarge as error:
        raise Refusal(
            Reason.INVALID_FIELD,
            f"the request has more than {request.client_max_size} bytes",
            details={"field": "body", "maxBytes": request.client_max_size},
        ) from error


def _no_message() -> Refusal:
    return Refusal(
        Reason.INVALID_FIELD,
        "the request is not proto3 JSON of the message that the call takes",
        details={"field": "body"},
    )
