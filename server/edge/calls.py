"""The calls of a service without their transport: gRPC and the console serve the same functions.

Whoever serves a call has identified its caller and tested the scope (``require_scope``).
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeVar

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc.aio import ServicerContext

from server.access.callers import Caller, Scope
from server.audit import Actor
from server.base.errors import Reason, Refusal
from server.compliance.access import Access
from server.edge.callers import CallerIdentifier, actor_of
from server.edge.places import Places
from server.edge.status import Opened, within_deadline

MOST_SECONDS: Final = 300.0
"""The longest duration of a call."""


_Environment = TypeVar("_Environment")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedCall:
    """A call that is served.

    Attributes:
        method: ``/package.Service/Method``.
        streams: Whether it answers with a stream of messages.
    """

    method: str
    request: type[Message]
    streams: bool


class Calls(Opened[_Environment]):
    """The calls of a service. They are refused until ``open`` is called."""

    def __init__(
        self,
        service: ServiceDescriptor,
        functions: Mapping[str, Callable[[_Environment, Access, Any], Any]],
        *,
        places: Places,
        now: Callable[[], datetime],
    ) -> None:
        """Set what the calls do.

        Args:
            functions: By the name of the method, a coroutine function that returns the response, or an
                asynchronous generator function of the messages of a stream.
            places: Limits how many calls run at once.
        """
        self._functions = functions
        self._places = places
        self._now = now
        self.served: Final[Mapping[str, ServedCall]] = {
            method.name: ServedCall(
                method=f"/{service.full_name}/{method.name}",
                request=GetMessageClass(method.input_type),
                streams=method.server_streaming,
            )
            for method in service.methods
            if method.name in functions
        }

    async def answers(
        self, name: str, request: Any, *, caller: Caller, actor: Actor
    ) -> AsyncGenerator[Message, None]:
        """Yield the messages of a call's answer, one if it does not stream, while the call has a place.

        Raises:
            Refusal: See the contract of the call; OVERLOADED or NOT_SERVING.
        """
        env = self.env
        purpose = getattr(request, "purpose", "")
        access = Access(
            tenant=caller.tenant, actor=actor, now=self._now(), purpose=purpose, sandbox=caller.sandbox
        )
        async with self._places.hold_place(caller.scope):
            answered = self._functions[name](env, access, request)
            if not self.served[name].streams:
                yield await answered
                return
            async with aclosing(answered):
                async for message in answered:
                    yield message


class CallsServicer:
    """Serves calls over gRPC: it has a coroutine for each of them, with the name of its method."""

    def __init__(self, *, callers: CallerIdentifier, calls: Calls[Any]) -> None:
        """Set the calls."""
        self._callers = callers
        self._calls = calls
        for name, call in calls.served.items():
            setattr(self, name, partial(self._stream if call.streams else self._single, name))

    async def _single(self, name: str, request: Message, context: ServicerContext[Any, Any]) -> Message:
        async with self._answers(name, request, context) as answers:
            return await anext(answers)

    async def _stream(self, name: str, request: Message, context: ServicerContext[Any, Any]) -> None:
        async with self._answers(name, request, context) as answers:
            async for message in answers:
                await context.write(message)

    @asynccontextmanager
    async def _answers(
        self, name: str, request: Message, context: ServicerContext[Any, Any]
    ) -> AsyncIterator[AsyncIterator[Message]]:
        caller = self._callers.identify(context)
        answers = self._calls.answers(
            name, request, caller=caller, actor=actor_of(caller, self._callers.address_of(context))
        )
        async with within_deadline(context, MOST_SECONDS), aclosing(answers):
            yield answers


def require_scope(caller: Caller, needed: Scope | None) -> None:
    """Test whether a caller may make a call that needs a scope.

    Raises:
        Refusal: PERMISSION_DENIED.
    """
    if needed is not None and needed not in caller.scopes:
        raise Refusal(
            Reason.PERMISSION_DENIED,
            f"these credentials do not allow the call, which needs the scope {needed.value}; use others, "
            "or ask the operator for the scope",
            details={"requiredScope": needed.value},
        )
