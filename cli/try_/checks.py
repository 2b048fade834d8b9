"""Makes the checks of the person in front of this machine's camera, as an orchestrator does."""

import asyncio
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from facegate.v1 import verification_service_pb2

from cli.try_.modes import TrialMode
from cli.try_.portraits import TrustedImage, accepted_document, as_record
from cli.try_.verdict import VerdictContext, verdict_document
from facegate_client import KeySet, Orchestrator, ServerNotTrustedError, verify_response
from vision.packs import Pack

__all__ = ["PersonChecks", "Unknown"]

_SCAN_SECONDS: Final = 60.0
"""How long a check that has no result yet counts as running."""
_WAIT_SECONDS: Final = 15.0
_AUDIT_IMAGES: Final = 2
_MOST_PORTRAITS: Final = 8


class Unknown(Exception):
    """The page names a portrait, a mode or a check that does not exist."""


@dataclass(frozen=True, slots=True)
class _Open:
    """A check of this page, and how long its upload took, seconds."""

    mode: TrialMode
    upload_seconds: float


class PersonChecks:
    """The checks of the page. Portraits stay in this process, and checks at the server."""

    def __init__(
        self,
        orchestrator: Orchestrator,
        *,
        keys: KeySet,
        pack: Pack,
        modes: Sequence[TrialMode],
        thresholds: tuple[float, float],
        sandbox: bool,
    ) -> None:
        """Makes checks at one server.

        Args:
            orchestrator: Calls its service listener.
            keys: Its published keys.
            pack: Finds the eyes in portraits.
            modes: The modes that the page offers.
            thresholds: The confidences of their policies; see ``VerdictContext``.
            sandbox: Whether the orchestrator is a sandbox caller.
        """
        self._orchestrator = orchestrator
        self._keys = keys
        self._pack = pack
        self._modes: Mapping[str, TrialMode] = {mode.key: mode for mode in modes}
        self._thresholds = thresholds
        self._sandbox = sandbox
        self._portraits: dict[str, TrustedImage] = {}
        self._checks: dict[str, _Open] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._given_up: asyncio.TimerHandle | None = None

    async def idle(self) -> None:
        """Waits while a person scans."""
        await self._idle.wait()

    async def examine(self, upload: bytes) -> dict[str, Any]:
        """Examines a portrait by a check that is cancelled, and remembers it for others.

        Args:
            upload: The file.

        Returns:
            The findings, for the page.

        Raises:
            CallRefusedError: The server refuses the portrait.
            ConnectionFailedError: The server cannot be reached.
        """
        image = await asyncio.to_thread(as_record, upload, self._pack)
        created = await self._create(image, next(iter(self._modes.values())))
        await self._orchestrator.cancel_check(created.check_id)
        key = secrets.token_urlsafe(12)
        self._portraits[key] = image
        while len(self._portraits) > _MOST_PORTRAITS:
            self._portraits.pop(next(iter(self._portraits)))
        return accepted_document(created.portrait, image, key=key)

    async def create(self, portrait: str, mode: str) -> verification_service_pb2.UploadTrustedImageResponse:
        """Creates a check.

        Args:
            portrait: The key of a portrait that was examined.
            mode: The key of a mode.

        Raises:
            Unknown: There is no such portrait or mode.
            CallRefusedError: The server refuses the check.
            ConnectionFailedError: The server cannot be reached.
        """
        image, chosen = self._portraits.get(portrait), self._modes.get(mode)
        if image is None or chosen is None:
            raise Unknown("there is no such portrait or mode")
        began = time.monotonic()
        created = await self._create(image, chosen)
        self._checks[created.check_id] = _Open(chosen, time.monotonic() - began)
        self._begin()
        return created

    async def finish(self, check_id: str) -> dict[str, Any]:
        """Closes a check, and returns its result for the page.

        Raises:
            Unknown: The page made no such check.
            CallRefusedError: The server refuses, for example because the check was not scanned yet.
            ConnectionFailedError: The server cannot be reached.
        """
        opened = self._checks.get(check_id)
        if opened is None:
            raise Unknown("there is no such check")
        began = time.monotonic()
        response = await self._orchestrator.finish_check(
            check_id, audit_image_limit=_AUDIT_IMAGES, wait_s=_WAIT_SECONDS
        )
        self._idle.set()
        context = VerdictContext(
            thresholds=self._thresholds,
            verified=self._verified(response, check_id),
            upload_seconds=opened.upload_seconds,
            finish_seconds=time.monotonic() - began,
        )
        return {**verdict_document(response, context), "mode": opened.mode.key}

    def _begin(self) -> None:
        """Counts as scanning until a result is asked for, but not for long: the person may have left."""
        if self._given_up is not None:
            self._given_up.cancel()
        self._idle.clear()
        self._given_up = asyncio.get_running_loop().call_later(_SCAN_SECONDS, self._idle.set)

    async def _create(
        self, image: TrustedImage, mode: TrialMode
    ) -> verification_service_pb2.UploadTrustedImageResponse:
        return await self._orchestrator.upload_trusted_image(image.data, policy=mode.policy, mode=mode.wanted)

    def _verified(self, response: verification_service_pb2.FinishCheckResponse, check_id: str) -> bool:
        try:
            verify_response(response, self._keys, check_id=check_id, accept_sandbox=self._sandbox)
        except ServerNotTrustedError:
            return False
        return True
