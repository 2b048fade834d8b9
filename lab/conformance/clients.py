"""The client under test: a command that makes one scan, or the reference client in this process."""

import asyncio
import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from facegate.v1 import device_pb2, feedback_pb2, scan_pb2

from facegate_client import (
    ClientError,
    DisplayedStep,
    FaceScanner,
    Pixels,
    ScanSettings,
    ScanTicket,
    TlsSettings,
    generated_source,
    open_channel,
)
from lab.conformance.endpoint import Addresses
from lab.conformance.opening import Ticket

_RATE: Final = 20.0
_LAST_BYTES: Final = 200
_DELAY_US: Final = 16_667
"""A display of 60 Hz shows a colour with its next picture."""


@dataclass(frozen=True, slots=True)
class ClientReport:
    """A client's own report on the end of its scan."""

    has_result: bool | None
    said: str


class Client(Protocol):
    """The client under test."""

    async def scan(self, ticket: Ticket, addresses: Addresses) -> ClientReport:
        """Make one scan and return how it ended."""
        ...


class CommandClient:
    """A program that makes one scan and ends with 0 if it has a result, else with another status."""

    def __init__(self, words: Sequence[str]) -> None:
        """Take the command."""
        self._words = tuple(words)

    async def scan(self, ticket: Ticket, addresses: Addresses) -> ClientReport:
        """Run the program. It gets addresses, token and fingerprint in its environment."""
        process = await asyncio.create_subprocess_exec(
            *self._words,
            env={**os.environ, **environment(ticket, addresses)},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            _, errors = await process.communicate()
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        said = errors.decode(errors="replace").strip()[-_LAST_BYTES:]
        return ClientReport(process.returncode == 0, f"exit status {process.returncode}; {said}")


def environment(ticket: Ticket, addresses: Addresses) -> dict[str, str]:
    """Return the variables that a command finds in its environment."""
    return {
        "CONFORMANCE_SERVER": addresses.device,
        "CONFORMANCE_WEB": addresses.web,
        "CONFORMANCE_TOKEN": ticket.token,
        "CONFORMANCE_KEY_SHA256": ticket.fingerprint.hex(),
    }


class _Screen:
    """A screen that shows nothing, but knows when each colour would have appeared."""

    profile = device_pb2.ScreenProfile(width=1080, height=2340, brightness=1.0, refresh_rate_hz=60.0)
    capabilities = (
        scan_pb2.CAPABILITY_OVAL_CHANGE,
        scan_pb2.CAPABILITY_OPEN_MOUTH,
        scan_pb2.CAPABILITY_TURN_HEAD,
    )

    def __init__(self) -> None:
        self._shown: list[DisplayedStep] = []

    def show_step(self, step: scan_pb2.FlashStep) -> None:
        self._show(step.step)

    def show_oval(self, change: scan_pb2.OvalChange) -> None:
        pass

    def show_hint(self, feedback: feedback_pb2.Feedback) -> None:
        pass

    def restore(self) -> None:
        if self._shown and self._shown[-1].number:
            self._show(0)

    def displayed(self, capture_time_us: int) -> DisplayedStep:
        shown = [step for step in self._shown if step.since_us <= capture_time_us]
        return shown[-1] if shown and shown[-1].number else DisplayedStep()

    def _show(self, number: int) -> None:
        self._shown.append(DisplayedStep(number, time.monotonic_ns() // 1000 + _DELAY_US))


class ReferenceClient:
    """The Python reference client, with a camera that shows noise."""

    def __init__(self, root_certificates: bytes | None = None) -> None:
        """Prepare the client."""
        self._tls = None if root_certificates is None else TlsSettings(root_certificates=root_certificates)

    async def scan(self, ticket: Ticket, addresses: Addresses) -> ClientReport:
        """Make a scan."""
        async with open_channel(addresses.device, tls=self._tls) as channel:
            scanner = FaceScanner(
                channel=channel,
                ticket=ScanTicket(token=ticket.token, challenge_key_sha256=ticket.fingerprint),
                source=generated_source(noise(), frames_per_second=_RATE),
                server_spki_sha256=ticket.server_spki_sha256,
                screen=_Screen(),
                settings=ScanSettings(),
            )
            try:
                await scanner.scan()
            except ClientError as error:
                return ClientReport(False, str(error))
            return ClientReport(True, "")


def noise() -> Iterator[tuple[Pixels | bytes, float]]:
    """Yield frames of 480 x 640 pixels with their capture times, seconds, without an end."""
    random = np.random.default_rng(1)
    pictures = [
        np.kron(random.integers(0, 255, (80, 60, 3), dtype=np.uint8), np.ones((8, 8, 1), dtype=np.uint8))
        for _ in range(4)
    ]
    number = 0
    while True:
        yield pictures[number % len(pictures)], number / _RATE
        number += 1
