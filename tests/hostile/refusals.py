"""The contract of a refusal, and calls with raw bytes as messages, which need not be valid."""

import functools
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from facegate.v1 import error_reason_pb2

from facegate_client import StreamLostError
from facegate_client.stream_call import StreamCall
from tests.server.refusals import Refused, refused

# The contract of a refusal: the documented reasons, their statuses, and no internal text.

_REPOSITORY = Path(__file__).resolve().parent.parent.parent
_ROW = re.compile(r"^\| `([A-Z0-9_]+)` \| ([A-Z_]+)(?:, retry)? \|", re.MULTILINE)
_INTERNAL = re.compile(
    r"Traceback|File \"|line \d+|0x[0-9a-f]{6}|cv2|numpy|PIL|libpng|openjpeg|sqlalchemy|sqlite|"
    r"\.py\b|site-packages|Exception|Errno"
)
_MOST_CHARACTERS = 400


@functools.cache
def documented() -> dict[str, str]:
    """The status of each reason, from docs/reference/errors.md."""
    found = dict(_ROW.findall((_REPOSITORY / "docs" / "reference" / "errors.md").read_text()))
    known = {
        value.name.removeprefix("ERROR_REASON_") for value in error_reason_pb2.ErrorReason.DESCRIPTOR.values
    }
    assert set(found) == known - {"UNSPECIFIED"}
    return found


def assert_documented(refused: Refused) -> None:
    """Test a refusal against the contract; INTERNAL always fails."""
    assert refused.reason != "INTERNAL", refused
    assert documented()[refused.reason] == refused.code.name, refused
    text = " ".join([refused.message, *refused.metadata.values()])
    assert not _INTERNAL.search(text), refused
    assert 0 < len(refused.message) < _MOST_CHARACTERS, refused


# Calls with raw bytes as messages, which need not be valid.

_PATH = "/facegate.v1.VerificationService/"
_WAIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class End:
    """The end of a call: its code, and the refusal if it carries one."""

    code: grpc.StatusCode
    refused: Refused | None


async def raw_stream(channel: grpc.aio.Channel, message: bytes) -> End:
    """Send bytes as the only message of a scan; return the refusal."""
    call: Any = channel.stream_stream(f"{_PATH}ScanFace")
    stream: StreamCall[bytes, bytes] = StreamCall(call(timeout=_WAIT_SECONDS))
    with suppress(StreamLostError):
        await stream.send(message)
        await stream.half_close()
    with pytest.raises(grpc.RpcError) as caught:
        await stream.receive()
    return _end(caught.value)


async def raw_unary(channel: grpc.aio.Channel, method: str, message: bytes) -> End:
    """Send bytes as a request; return the refusal."""
    call: Any = channel.unary_unary(_PATH + method)
    with pytest.raises(grpc.RpcError) as caught:
        await call(message, timeout=_WAIT_SECONDS)
    return _end(caught.value)


async def raw_watch(channel: grpc.aio.Channel, message: bytes) -> End:
    """Send bytes as the request of a WatchCheck; return the refusal."""
    call: Any = channel.unary_stream(f"{_PATH}WatchCheck")
    with pytest.raises(grpc.RpcError) as caught:
        await call(message, timeout=_WAIT_SECONDS).read()
    return _end(caught.value)


def _end(error: grpc.RpcError) -> End:
    assert isinstance(error, grpc.aio.AioRpcError)
    has_details = any(key == "grpc-status-details-bin" for key, _ in error.trailing_metadata() or ())
    return End(error.code(), refused(error) if has_details else None)
