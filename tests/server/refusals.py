"""The refusal of a call."""

from typing import Any

import grpc
import pytest

from tests.server.live import Refused, refused

__all__ = ["refusal_of"]


async def refusal_of(call: Any) -> Refused:
    """The error with which the call ends; fails if it succeeds."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return refused(caught.value)
