"""Calls of grpc.aio with a stream of requests: a cancelled task does no harm, and no status is lost."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, Generic, TypeVar

import grpc

from facegate_client.errors import StreamLostError

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")
_Result = TypeVar("_Result")

_LOST: Final = "Internal error from Core"
_STATUS_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.005


class _ServerStatus:
    """The status that the server sent for a call with a stream of requests.

    If the server ends a call while a request is on its way, grpc.aio's client fails the request and sets the
    call's status to INTERNAL "Internal error from Core", before or after it sets that of the server.
    """

    def __init__(self, call: Any) -> None:
        """Begin to watch a call of grpc.aio, before anything is sent."""
        self._call = call
        self._first: grpc.aio.AioRpcError | None = None
        call.add_done_callback(self._note)

    async def error(self, raised: grpc.aio.AioRpcError) -> grpc.aio.AioRpcError:
        """Return the server's status instead of ``raised``, which a call raised; its code may be OK.

        All messages of the call must have been read, because the status comes after them. If the server's
        status does not come within 5 seconds, ``raised`` is returned.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + _STATUS_SECONDS
        found = raised
        while _is_lost(found) and loop.time() < until:
            found = self._first or _status_of(self._call)
            # grpc.aio does not tell when the server's status takes the place of its own.
            await asyncio.sleep(_LOOK_SECONDS if _is_lost(found) else 0)
        return found

    def _note(self, _: Any) -> None:
        status = _status_of(self._call)
        if self._first is None and not _is_lost(status):
            self._first = status


class StreamCall(Generic[_Request, _Response]):
    """A bidirectional call. Any number of tasks may send; one task at a time may receive.

    grpc.aio cancels the call with a task that is cancelled while it reads or writes, even if the read or
    write has just succeeded. Here, the tasks of the caller never wait inside grpc.aio: what a cancelled task
    was sending is still sent, in its order, and the message that it waited for goes to the next ``receive``.
    """

    def __init__(self, call: "grpc.aio.StreamStreamCall[_Request, _Response]") -> None:
        """Take over a call on which nothing was sent or received."""
        self._call = call
        self._status = _ServerStatus(call)
        # Unlike ``read``, the iterator also returns messages that came before the end of the call.
        self._responses = aiter(call)
        self._sending = asyncio.Lock()
        self._receiving: asyncio.Task[_Response | None] | None = None

    async def send(self, request: _Request) -> None:
        """Send a message after all that were sent before.

        Raises:
            StreamLostError: The call is over. ``receive`` raises why.
        """
        await _outcome(_start(self._in_turn(self._call.write(request))))

    async def half_close(self) -> None:
        """Half-close the call after all messages that were sent before.

        Raises:
            StreamLostError: The call is over. ``receive`` raises why.
        """
        await _outcome(_start(self._in_turn(self._call.done_writing())))

    async def receive(self) -> _Response | None:
        """Return the next message; ``None`` after the last one of a call with the status OK.

        Raises:
            grpc.aio.AioRpcError: The server's status, after the last message of a call with another status.
            StreamLostError: This side cancelled the call.
        """
        task = self._receiving = self._receiving or _start(self._next())
        message = await _outcome(task)
        if message is not None:
            self._receiving = None
        return message

    def cancel(self) -> None:
        """End the call at once."""
        self._call.cancel()

    async def _in_turn(self, sending: Coroutine[Any, Any, None]) -> None:
        async with self._sending:
            try:
                await sending
            except (grpc.RpcError, grpc.aio.BaseError, asyncio.InvalidStateError) as error:
                raise StreamLostError("the stream is over") from error

    async def _next(self) -> _Response | None:
        try:
            return await anext(self._responses, None)
        except grpc.aio.AioRpcError as raised:
            error = await self._status.error(raised)
            if error.code() is grpc.StatusCode.OK:
                return None
            raise error from None


async def answer_of(call: "grpc.aio.StreamUnaryCall[Any, _Response]") -> _Response:
    """Return the answer of a call with a stream of requests, which must have been made just now.

    Raises:
        grpc.aio.AioRpcError: The server's status, also if it refused before it had read all requests.
    """
    status = _ServerStatus(call)
    try:
        return await call
    except grpc.aio.AioRpcError as raised:
        raise await status.error(raised) from None


def _start(work: Coroutine[Any, Any, _Result]) -> "asyncio.Task[_Result]":
    task = asyncio.create_task(work)
    task.add_done_callback(_retrieve)
    return task


def _retrieve(task: "asyncio.Task[Any]") -> None:
    # Without this call, asyncio logs the error of a task whose caller was cancelled.
    if not task.cancelled():
        task.exception()


async def _outcome(task: "asyncio.Task[_Result]") -> _Result:
    await asyncio.wait({task})
    if task.cancelled():
        raise StreamLostError("this side cancelled the stream")
    return task.result()


def _status_of(call: Any) -> grpc.aio.AioRpcError:
    """Return the status of a call that is done."""
    return grpc.aio.AioRpcError(
        _at_once(call.code()),
        _at_once(call.initial_metadata()),
        _at_once(call.trailing_metadata()),
        details=_at_once(call.details()),
    )


def _at_once(known: Coroutine[Any, Any, _Result]) -> _Result:
    """Return the result of a coroutine that waits for nothing, as those of a call that is done."""
    try:
        known.send(None)
    except StopIteration as returned:
        result: _Result = returned.value
        return result
    known.close()
    raise RuntimeError("the call is not done")


def _is_lost(status: grpc.aio.AioRpcError) -> bool:
    return (
        status.code() is grpc.StatusCode.INTERNAL
        and status.details() == _LOST
        and not status.trailing_metadata()
    )
