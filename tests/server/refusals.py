"""The refusal of a call."""

from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2


@dataclass(frozen=True, slots=True)
class Refused:
    """The end of a call with a status other than OK."""

    code: grpc.StatusCode
    reason: str
    message: str
    metadata: dict[str, str]
    retry_seconds: float | None


def refused(error: grpc.RpcError) -> Refused:
    """Read a call's rich error; there must be exactly one ErrorInfo, of Facegate's domain."""
    assert isinstance(error, grpc.aio.AioRpcError | grpc.Call)
    trailers = [value for key, value in error.trailing_metadata() or () if key == "grpc-status-details-bin"]
    assert len(trailers) == 1, f"{error.code()} without details: {error.details()}"
    assert isinstance(trailers[0], bytes)
    status = status_pb2.Status.FromString(trailers[0])
    assert status.code == error.code().value[0]
    infos, retries = [], []
    for detail in status.details:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            infos.append(error_details_pb2.ErrorInfo.FromString(detail.value))
        elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            retries.append(error_details_pb2.RetryInfo.FromString(detail.value))
    assert len(infos) == 1
    assert infos[0].domain == "facegate.org"
    assert len(retries) <= 1
    delay = retries[0].retry_delay if retries else None
    return Refused(
        code=error.code(),
        reason=infos[0].reason,
        message=error.details() or "",
        metadata=dict(infos[0].metadata),
        retry_seconds=None if delay is None else delay.seconds + delay.nanos / 1e9,
    )


async def refusal_of(call: Any) -> Refused:
    """The error with which the call ends; fails if it succeeds."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return refused(caught.value)
