"""ScanFace over WebSocket with the interface of gRPC's stub, so that one suite tests both transports."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import aiohttp
import grpc
from facegate.v1 import scan_pb2
from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2

from server.edge.listeners import SCAN_METHOD
from server.edge.web_listener import CLOSE_CODE_BASE, SUBPROTOCOL

_CODES = {code.value[0]: code for code in grpc.StatusCode}


@dataclass(frozen=True, slots=True)
class WebStub:
    """Opens scans at a web listener."""

    session: aiohttp.ClientSession
    url: str
    origin: str

    def ScanFace(self, *, metadata: tuple[tuple[str, str], ...] = ()) -> "WebCall":
        assert not metadata, "a browser sends none"
        return WebCall(self)


class WebCall:
    """One stream; it connects with its first message."""

    def __init__(self, stub: WebStub) -> None:
        self._stub = stub
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._connecting = asyncio.Lock()
        self._status: status_pb2.Status | None = None
        self.close_code: int | None = None
        self.close_reason = ""

    async def socket(self) -> aiohttp.ClientWebSocketResponse:
        async with self._connecting:
            if self._socket is None:
                self._socket = await self._stub.session.ws_connect(
                    self._stub.url + SCAN_METHOD,
                    protocols=(SUBPROTOCOL,),
                    origin=self._stub.origin,
                    max_msg_size=0,
                    autoclose=False,
                )
            return self._socket

    async def write(self, request: scan_pb2.ScanFaceRequest) -> None:
        socket = await self.socket()
        if socket.closed:
            raise asyncio.InvalidStateError
        try:
            await socket.send_bytes(request.SerializeToString())
        except ConnectionError as error:
            raise asyncio.InvalidStateError from error

    async def done_writing(self) -> None:
        try:
            await (await self.socket()).send_str("")
        except ConnectionError as error:
            raise asyncio.InvalidStateError from error

    def __aiter__(self) -> "WebCall":
        return self

    async def __anext__(self) -> scan_pb2.ScanFaceResponse:
        message = await self.read()
        if not isinstance(message, scan_pb2.ScanFaceResponse):
            raise StopAsyncIteration
        return message

    def add_done_callback(self, callback: Any) -> None:
        """A WebSocket does not lose the server's status, so there is nothing to watch."""

    async def read(self) -> scan_pb2.ScanFaceResponse | Any:
        socket = await self.socket()
        message = await socket.receive()
        match message.type:
            case aiohttp.WSMsgType.BINARY:
                return scan_pb2.ScanFaceResponse.FromString(message.data)
            case aiohttp.WSMsgType.TEXT:
                assert set(json.loads(message.data)) <= {"code", "message", "details"}
                self._status = json_format.Parse(message.data, status_pb2.Status())
                return await self.read()
            case aiohttp.WSMsgType.CLOSE:
                self.close_code, self.close_reason = message.data, message.extra or ""
                await socket.close()
            case _:
                self.close_code = socket.close_code
        if self.close_code == 1000:
            return grpc.aio.EOF
        raise self._error()

    async def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.OK if self.close_code == 1000 else self._error().code()

    def done(self) -> bool:
        return self.close_code is not None or (self._socket is not None and self._socket.closed)

    def cancel(self) -> None:
        if self._socket is not None and self._socket._response.connection is not None:
            transport = self._socket._response.connection.transport
            if transport is not None:
                transport.abort()

    def _error(self) -> grpc.aio.AioRpcError:
        if self._status is None:
            return grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata())
        assert self.close_code == CLOSE_CODE_BASE + self._status.code
        info = error_details_pb2.ErrorInfo.FromString(self._status.details[0].value)
        assert self.close_reason == info.reason
        return grpc.aio.AioRpcError(
            _CODES[self._status.code],
            grpc.aio.Metadata(),
            grpc.aio.Metadata(("grpc-status-details-bin", self._status.SerializeToString())),
            details=self._status.message,
        )
