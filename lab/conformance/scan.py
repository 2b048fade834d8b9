"""One scan of the client, as a scenario drives it: its streams, lost connections and reconnects.

What waits for the client raises ``Violation`` if it breaks a rule.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from facegate.v1 import scan_pb2

from lab.conformance.clients import ClientReport
from lab.conformance.endpoint import ClientStream, name_of
from lab.conformance.opening import Start, Ticket, challenge_body, read_start
from lab.conformance.rules import HalfClosed, Rule, Violation, refusals_broken
from lab.conformance.strict_stream import ClientScan, Response, StrictStream
from server.base.errors import Refusal
from server.edge.fields import message_of
from server.scan.handshake import open_transcript, sign_challenge
from server.scan.inbox import ConnectionLost

_RECONNECT_SECONDS: Final = 12.0
_WATCH_SECONDS: Final = 1.5
_TOLERANCE_SECONDS: Final = 0.03
_LATE_SECONDS: Final = 4.0
_FIRST_WAIT_SECONDS: Final = 0.25
_LONGEST_WAIT_SECONDS: Final = 8.0

Streams = asyncio.Queue[ClientStream]
"""The streams that came."""


async def next_stream(
    streams: Streams, client: "asyncio.Future[ClientReport] | None", *, within_s: float
) -> ClientStream | None:
    """Return the next stream; ``None`` if none comes in time, or the client has ended."""
    getting = asyncio.ensure_future(streams.get())
    waits: set[asyncio.Future[Any]] = {getting} if client is None else {getting, client}
    await asyncio.wait(waits, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    if getting.done():
        return getting.result()
    getting.cancel()
    return None


class Scan:
    """The streams of one scan.

    Attributes:
        start: The ScanStart of the newest one.
    """

    start: Start

    def __init__(
        self,
        ticket: Ticket,
        streams: Streams,
        client: "asyncio.Future[ClientReport] | None" = None,
    ) -> None:
        """Begin without streams.

        Args:
            client: Done when the client has ended, and so opens no more streams; ``None`` if that is unknown.
        """
        self.ticket = ticket
        self.streams: list[ClientStream] = []
        self._coming = streams
        self._client = client
        self._known = ClientScan()
        self._lost_at = 0.0
        self._losses = 0

    async def admit(self, stream: ClientStream) -> None:
        """Add a stream to the scan, and test its ScanStart."""
        self.start = start = await read_start(stream, self.ticket)
        self.streams.append(stream)
        message, known = start.message, self._known
        if known.session_key not in (b"", message.session_public_key):
            raise Violation(
                Rule.SESSION_KEY, "the reconnect has another session key than the first stream of the scan"
            )
        if message.key_share in known.shares:
            raise Violation(Rule.KEY_SHARE, "the key share of an older stream was used again")
        if message.resume != known.challenged:
            raise Violation(
                Rule.RESUME_FLAG,
                f"`resume` is {message.resume}, and the scan "
                f"{'had' if known.challenged else 'never had'} a Challenge",
            )
        known.session_key = message.session_public_key
        known.shares.add(message.key_share)

    async def open(
        self, change: Callable[[scan_pb2.ChallengeBody], None] = lambda _body: None, *, proof: bool = False
    ) -> StrictStream:
        """Answer the newest ScanStart with a Challenge."""
        start, private_key = self.start, X25519PrivateKey.generate()
        body = challenge_body(private_key, proof=proof)
        change(body)
        with refusals_broken():
            transcript = open_transcript(
                start.message,
                nonce=body.nonce,
                private_key=private_key,
                session_key=start.session_key,
            )
        stream = StrictStream(start, body, transcript, self._known)
        self._known.challenged = True
        await start.stream.send(Response(challenge=self.challenge(body)))
        if proof:
            await stream.receive_proof()
        return stream

    def challenge(
        self,
        body: scan_pb2.ChallengeBody,
        *,
        start: bytes | None = None,
        key: EllipticCurvePrivateKey | None = None,
    ) -> scan_pb2.Challenge:
        """Return a Challenge for the newest ScanStart, or for another, and of the pinned key or another."""
        signed = sign_challenge(
            body.SerializeToString(),
            start=start or self.start.message.raw,
            key=key or self.ticket.private_key,
        )
        return message_of(scan_pb2.Challenge, signed)

    async def expect_refusal_of(self, response: Response) -> None:
        """Send an answer to ScanStart that the client must refuse, and wait until it ends the stream."""
        self._known.challenged = True
        await self.start.stream.send(response)
        try:
            arrival = await self.start.stream.receive(_LATE_SECONDS)
        except (ConnectionLost, HalfClosed):
            self.start.stream.finish()
            return
        raise Violation(
            Rule.BAD_CHALLENGE,
            f"the client kept the stream open for {_LATE_SECONDS:g} seconds"
            if arrival is None
            else f"the client sent {name_of(arrival.message)} after it",
        )

    async def stay_silent(self, seconds: float) -> None:
        """Send no Challenge, and wait until the client gives up the stream."""
        opened = self.start.stream.opened
        try:
            arrival = await self.start.stream.receive(seconds + _LATE_SECONDS)
        except ConnectionLost:
            # Since it was opened: on a busy machine, ScanStart is read long after the client sent it.
            if asyncio.get_running_loop().time() - opened < seconds - _TOLERANCE_SECONDS:
                raise Violation(
                    Rule.RECONNECT, f"the client waited less than {seconds:g} seconds for a Challenge"
                ) from None
            self.interrupt()
            # The client chose the time, and a busy machine learns of it late.
            self._lost_at = opened + seconds
            return
        if arrival is None:
            raise Violation(
                Rule.RECONNECT,
                f"the client still waited for a Challenge after {seconds + _LATE_SECONDS:g} seconds",
            )
        raise Violation(
            Rule.MESSAGE_ORDER,
            f"{name_of(arrival.message)} came before the Challenge; the client drops a silent connection",
        )

    def refuse(self, refusal: Refusal) -> None:
        """Refuse the newest stream."""
        self.start.stream.finish(refusal)

    def interrupt(self, lose: Callable[[], None] = lambda: None, *, result: bool = False) -> None:
        """Note that the client now has to reconnect."""
        self._losses = 1 if result else self._losses + 1
        self._lost_at = asyncio.get_running_loop().time()
        lose()

    async def wait_for_reconnect(self, *, asked_s: float = 0.0, within_s: float = _RECONNECT_SECONDS) -> None:
        """Wait for the next stream of the scan."""
        stream = await next_stream(self._coming, self._client, within_s=within_s)
        if stream is None:
            raise Violation(Rule.RECONNECT, f"the client did not reconnect within {within_s:g} seconds")
        await self.admit(stream)
        waited = stream.opened - self._lost_at
        whole = min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2.0 ** (self._losses - 1))
        least, most = max(whole / 2, asked_s), max(whole, asked_s) + _LATE_SECONDS
        if not least - _TOLERANCE_SECONDS <= waited <= most:
            raise Violation(
                Rule.BACK_OFF,
                f"reconnect {self._losses} came after {waited:.2f} s; expected {least:.2f} to "
                f"{max(whole, asked_s):.2f} s",
            )

    async def expect_no_reconnect(self, *, within_s: float = _WATCH_SECONDS) -> None:
        """Test that the client does not reconnect."""
        stream = await next_stream(self._coming, self._client, within_s=within_s)
        if stream is None:
            return
        start = await read_start(stream, self.ticket)
        if start.message.session_public_key == self._known.session_key:
            await self.admit(stream)
            raise Violation(Rule.NO_RECONNECT, "the client reconnected")
        # The next scan of the client, which came before this one was over.
        self._coming.put_nowait(stream)


Script = Callable[[Scan], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A script for one scan.

    Attributes:
        purpose: The behaviour that it tests, in words.
        needs: The capabilities without which it does not apply.
        reports_result: Whether the client has a result to report at its end, or the reason why it has none.
    """

    name: str
    purpose: str
    script: Script
    needs: frozenset[int] = frozenset()
    reports_result: bool = True
