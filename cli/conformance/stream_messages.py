"""Tests each message of one stream of a client as it arrives."""

import hmac

from facegate.v1 import scan_pb2

from cli.conformance.attempt_book import AttemptBook, CaptureClock
from cli.conformance.client_stream import Arrival
from cli.conformance.evidence import MOST_ATTESTATIONS, verify_evidence
from cli.conformance.flash_book import FlashBook
from cli.conformance.opening import ClientScan, Start, StreamKeys
from cli.conformance.rules import Rule, Violation
from cli.conformance.signature import signature_fault
from facegate_protocol import attempt_end_message
from server.base.errors import Refusal
from server.edge.scan_codec import to_inbound
from server.scan.messages import AttemptEndMessage, FrameMessage

__all__ = ["StreamMessages", "named"]


class StreamMessages:
    """The state of a stream, and the tests of the messages that the client sends in it.

    Attributes:
        start: The ScanStart.
        body: The Challenge's body.
        book: The running or last attempt; ``None`` before the first.
        flash: The colours of the stream.
        evidence_at: When the last attestation arrived; ``None`` before.
    """

    def __init__(
        self, start: Start, body: scan_pb2.ChallengeBody, opened: StreamKeys, scan: ClientScan
    ) -> None:
        """Begins after the Challenge was sent.

        Args:
            start: The ScanStart.
            body: The Challenge's body.
            opened: The keys of the stream.
            scan: The scan that the stream belongs to.
        """
        self.start = start
        self.body = body
        self.book: AttemptBook | None = None
        self.flash = FlashBook()
        self.evidence_at: float | None = None
        self._stream = start.stream
        self._opened = opened
        self._scan = scan
        self._clock = CaptureClock()
        self._capturing = False
        self._end: AttemptEndMessage | None = None
        self._ready_for = 0
        self._half_close_due = False
        self._plan = scan_pb2.PLAN_EXPRESS

    @property
    def _running(self) -> AttemptBook:
        if self.book is None:
            raise RuntimeError("the script began no attempt")
        return self.book

    def accept(self, arrival: Arrival) -> None:
        """Tests a message, and updates the state of the stream.

        Raises:
            Violation: A rule is broken.
        """
        request = arrival.request
        if request is None:
            if not self._half_close_due:
                raise Violation(Rule.HALF_CLOSE, "the client half-closed before the last ScanResult")
            return
        kind = request.WhichOneof("message")
        try:
            message = to_inbound(request)
        except Refusal as error:
            rule = Rule.ATTESTATION if kind == "attestation" else Rule.MESSAGE
            raise Violation(rule, str(error)) from error
        match message:
            case FrameMessage():
                self._frame(message, arrival)
            case AttemptEndMessage():
                self._attempt_end(message)
            case _ if kind == "attestation":
                self._attestation(request, arrival)
            case _ if kind == "attempt_ready":
                self._ready(request)
            case _ if kind == "start":
                raise Violation(Rule.START_FIRST, "a second `start` came on the stream")
            case _:
                raise Violation(Rule.MESSAGE_ORDER, f"{named(arrival)} was not expected")

    def _frame(self, frame: FrameMessage, arrival: Arrival) -> None:
        book = self.book
        if book is None or not self._attempting:
            raise Violation(Rule.MESSAGE_ORDER, f"frame {frame.index} came outside of an attempt")
        if (frame.attempt, frame.index) != (book.start.attempt, book.frames):
            raise Violation(
                Rule.FRAME_ORDER,
                f"frame {frame.index} of attempt {frame.attempt} came; expected frame {book.frames} of "
                f"attempt {book.start.attempt}",
            )
        before = self._opened.chain.value
        if not self._opened.chain.accept_frame(header=frame.header, image=frame.image, mac=frame.mac):
            raise Violation(Rule.FRAME_MAC, self._mac_fault(frame, before))
        captured = book.accept(frame, arrival.time)
        self._scan.image_bytes = book.scan_bytes
        self.flash.accept(frame, flashing=self._plan == scan_pb2.PLAN_FLASH, captured=captured)

    @property
    def _attempting(self) -> bool:
        # A frame may be under way when a result ends the attempt.
        return self._end is None and (self._capturing or self._half_close_due)

    def _mac_fault(self, frame: FrameMessage, before: bytes) -> str:
        if len(frame.mac) != len(before):
            return f"the MAC of frame {frame.index} has {len(frame.mac)} bytes; expected {len(before)}"
        return (
            f"the MAC of frame {frame.index} is not the chain's next value: over "
            f"{len(frame.header)} bytes of header and the SHA-256 of {len(frame.image)} bytes of image, "
            "after " + ("the attempt marker" if frame.index == 0 else f"frame {frame.index - 1}")
        )

    def _attempt_end(self, end: AttemptEndMessage) -> None:
        book = self.book
        if book is None or self._end is not None:
            raise Violation(Rule.MESSAGE_ORDER, "`attempt_end` came outside of an attempt, or twice")
        if not self._capturing:
            raise Violation(
                Rule.MESSAGE_ORDER, "`attempt_end` came after the ScanResult of its attempt; send none"
            )
        if (end.attempt, end.frame_count) != (book.start.attempt, book.frames):
            raise Violation(
                Rule.ATTEMPT_END,
                f"it ends attempt {end.attempt} with {end.frame_count} frames; {book.frames} frames of "
                f"attempt {book.start.attempt} came",
            )
        if not hmac.compare_digest(end.last_mac, self._opened.chain.value):
            raise Violation(Rule.ATTEMPT_END, "`last_mac` is not the MAC of the last frame or attempt marker")
        if end.dropped_count < book.dropped:
            raise Violation(
                Rule.DROPPED,
                f"`dropped_count` is {end.dropped_count}; the frames stated {book.dropped} already",
            )
        fault = signature_fault(
            self._opened.session_key,
            message=attempt_end_message(binding=self._opened.binding, body=end.body),
            signature=end.signature,
            unframed=end.body,
        )
        if fault:
            raise Violation(Rule.ATTEMPT_END, fault)
        self._end, self._capturing = end, False

    def _attestation(self, request: scan_pb2.ScanFaceRequest, arrival: Arrival) -> None:
        self._scan.attestations += 1
        if self._scan.attestations > MOST_ATTESTATIONS:
            raise Violation(Rule.ATTESTATION, f"more than {MOST_ATTESTATIONS} attestations came in the scan")
        allowed = self.body.attestation.runtime_findings
        verify_evidence(request.attestation, binding=self._opened.binding, findings=allowed)
        self.evidence_at = arrival.time

    def _ready(self, request: scan_pb2.ScanFaceRequest) -> None:
        if not self._ready_for:
            raise Violation(Rule.READY, "`attempt_ready` came when no result waited for it")
        if request.attempt_ready.after_attempt != self._ready_for:
            raise Violation(
                Rule.READY,
                f"`after_attempt` is {request.attempt_ready.after_attempt}; the result was of attempt "
                f"{self._ready_for}",
            )
        self._ready_for = 0


def named(arrival: Arrival) -> str:
    """Returns the name of a message, for people."""
    return "the half-close" if arrival.request is None else f"`{arrival.request.WhichOneof('message')}`"
