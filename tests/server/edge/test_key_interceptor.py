"""Callers without a key are turned away before their message is read."""

from hashlib import sha256
from types import SimpleNamespace
from typing import Any, NoReturn

import grpc
import pytest

from server.api_keys import ApiKeyEntry, ApiKeys, Role, new_api_key
from server.edge.callers import CallerIdentifier
from server.edge.key_interceptor import KeyInterceptor
from server.errors import Reason, Refusal

_KEY, _ = new_api_key()
_KEYS = ApiKeys(((sha256(_KEY.encode()).digest(), ApiKeyEntry("a", "default", Role.ORCHESTRATOR)),))


class _Unread:
    def __aiter__(self) -> NoReturn:
        pytest.fail("the message was read")


_SERVED: Any = grpc.unary_unary_rpc_method_handler(lambda request, context: request)


async def _handler(method: str, key: str | None, *, keys: ApiKeys | None = _KEYS) -> Any:
    callers = CallerIdentifier(api_keys=keys, client_certificates=False)
    metadata = () if key is None else (("authorization", f"Bearer {key}"),)

    async def served(_: Any) -> Any:
        return _SERVED

    details: Any = SimpleNamespace(method=method, invocation_metadata=metadata)
    return await KeyInterceptor(callers, services={"test.Service"}).intercept_service(served, details)


@pytest.mark.parametrize("key", [None, "", "fg1_unknown"])
async def test_without_a_key_nothing_is_read(key: str | None) -> None:
    handler = await _handler("/test.Service/Call", key)
    # grpc reads the message of a unary handler before it calls it, and that of a streaming one on demand.
    assert handler.request_streaming
    with pytest.raises(Refusal) as caught:
        await handler.stream_unary(_Unread(), None)
    assert caught.value.reason is Reason.UNAUTHENTICATED


async def test_whoever_may_call_is_served() -> None:
    assert await _handler("/test.Service/Call", _KEY) is _SERVED
    assert await _handler("/grpc.health.v1.Health/Check", None) is _SERVED
    assert await _handler("/test.Service/Call", None, keys=None) is _SERVED
