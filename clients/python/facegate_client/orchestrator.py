"""The orchestrator's calls: create, follow and cancel a check, and get its result."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

import grpc
from facegate.v1 import scan_pb2, verification_service_pb2, verification_service_pb2_grpc
from google.protobuf.message import Message

from facegate_client.channel import ApiKey
from facegate_client.errors import (
    CallRefusedError,
    ClientError,
    ConnectionFailedError,
    SandboxResultError,
    StreamLostError,
    refusal_of,
    translate_error,
    translated_in_stream,
)
from facegate_client.result_signature import KeySet, verify_response
from facegate_client.scan_stream import ReconnectPolicy, ScanTicket

_UPLOAD_SECONDS = 10.0
_CALL_SECONDS = 5.0
_POLL_SECONDS = 0.5
_PAGE = 100
_ANY_STATE = verification_service_pb2.CheckProgress.STATE_UNSPECIFIED
_AGAIN = "SCAN_IN_PROGRESS"
_WAITS_S = (0.5, 1.0, 2.0)
"""The waits before a call is repeated, each lengthened by up to a half."""
_LONGEST_WAIT_S = 10.0
"""A server that asks for more is better called by somebody else, or later."""

_Answer = TypeVar("_Answer")


class Orchestrator:
    """A client of VerificationService for the customer's backend, on the service listener.

    A unary call whose answer is lost, or that a server puts off because it starts, stops or is busy, is
    repeated as it is up to three times: no call acts twice.
    """

    def __init__(
        self,
        *,
        channel: grpc.aio.Channel,
        api_key: ApiKey | None = None,
        keys: KeySet | None = None,
        issuer: str | None = None,
        tenant: str | None = None,
        accept_sandbox: bool = False,
    ) -> None:
        """Use a channel.

        Args:
            channel: To the service listener; the caller closes it.
            api_key: Sent with each call; ``None`` with mutual TLS, or on an open loopback listener.
            keys: The server's published keys. If given, every result is verified with them.
            issuer: The expected issuer of results, such as the server's ``results.issuer``; with ``keys``.
            tenant: The expected tenant of results; with ``keys``.
            accept_sandbox: Whether results of sandbox checks are accepted: only in tests.
        """
        self._stub = verification_service_pb2_grpc.VerificationServiceStub(channel)
        self._metadata = api_key.metadata if api_key else ()
        self._keys = keys
        self._issuer = issuer
        self._tenant = tenant
        self._accept_sandbox = accept_sandbox

    async def upload_trusted_image(
        self,
        image: bytes | None = None,
        *,
        image_reference: str | None = None,
        trusted_check_id: str | None = None,
        policy: str = "",
        mode: scan_pb2.Mode.ValueType = scan_pb2.MODE_UNSPECIFIED,
        subject_reference: str = "",
        consent_reference: str = "",
        request_id: str | None = None,
        retention_seconds: int | None = None,
        document_portrait: bool = False,
        hosted: verification_service_pb2.HostedScan | None = None,
        sandbox_outcome: verification_service_pb2.SandboxOutcome | None = None,
        timeout_s: float = _UPLOAD_SECONDS,
    ) -> verification_service_pb2.UploadTrustedImageResponse:
        """Create a check.

        Args:
            image: The trusted image, at most 2,000,000 bytes: an image file, or a facial record.
            image_reference: Instead of ``image``: its place in the store of trusted images for which the
                server is configured, at most 512 bytes.
            trusted_check_id: Instead of ``image``: an enrolled check of the same person, whose evidence frame
                is then the trusted image.
            policy: Name of the policy; empty for the server's default.
            mode: A mode that is stricter than the policy's.
            subject_reference: Opaque reference to the person, at most 256 bytes.
            consent_reference: Reference to the legal basis, at most 256 bytes.
            request_id: A UUID that makes the call idempotent. Keep it with your own record: the same call
                with it gives the same check, also after this method failed. By default a new one.
            retention_seconds: Erases the check earlier than its policy does; by default as the policy does.
            document_portrait: Whether the image is the portrait of an identity document. A scan that shows
                the image itself is then a spoof.
            hosted: For a scan on the server's own page: the response has ``scan_url`` for the person, and no
                token.
            sandbox_outcome: The outcome of the check, chosen in advance: for sandbox callers only.
            timeout_s: Deadline of each try, seconds.

        Raises:
            CallRefusedError: The server refused; ``refusal.reason`` is the reason.
            ConnectionFailedError: The server cannot be reached.
            ValueError: Not exactly one of ``image``, ``image_reference`` and ``trusted_check_id`` is given.
        """
        if sum(given is not None for given in (image, image_reference, trusted_check_id)) != 1:
            raise ValueError("give one of image, image_reference and trusted_check_id")
        request = verification_service_pb2.UploadTrustedImageRequest(
            policy=policy,
            mode=mode,
            subject_reference=subject_reference,
            consent_reference=consent_reference,
            request_id=request_id or str(uuid.uuid4()),
            retention_seconds=retention_seconds,
            document_portrait=document_portrait,
            hosted=hosted,
            sandbox_outcome=sandbox_outcome,
        )
        if image is not None:
            request.image = image
        if image_reference is not None:
            request.image_reference = image_reference
        if trusted_check_id is not None:
            request.trusted_check_id = trusted_check_id
        return await self._call(self._stub.UploadTrustedImage, request, timeout_s)

    async def get_check(
        self, check_id: str, *, timeout_s: float = _CALL_SECONDS
    ) -> verification_service_pb2.CheckProgress:
        """Return the state of a check, without changing it.

        Args:
            timeout_s: Deadline of each try, seconds.

        Raises:
            CallRefusedError: The server refused, for example with CHECK_NOT_FOUND.
            ConnectionFailedError: The server cannot be reached.
        """
        request = verification_service_pb2.GetCheckRequest(check_id=check_id)
        return (await self._call(self._stub.GetCheck, request, timeout_s)).progress

    async def watch_check(
        self,
        check_id: str,
        *,
        until_reviewed: bool = False,
        timeout_s: float | None = None,
        reconnects: ReconnectPolicy | None = None,
    ) -> AsyncIterator[verification_service_pb2.CheckProgress]:
        """Yield the state of a check, and then each change, until it is decided, closed or expired.

        If the stream is lost, it is opened again, and repeated states are left out.

        Args:
            until_reviewed: Whether to go on until people have reviewed the check, if its policy demands that.
            timeout_s: The longest time to watch, seconds; ``None`` to watch while the check is open.
            reconnects: The policy of reconnects in a row; ``None`` for the default.

        Raises:
            CallRefusedError: The server refused, for example with CHECK_NOT_FOUND; or DEADLINE_EXCEEDED.
            ConnectionFailedError: The server cannot be reached.
        """
        reconnects = reconnects or ReconnectPolicy()
        request = verification_service_pb2.WatchCheckRequest(check_id=check_id, until_reviewed=until_reviewed)
        loop = asyncio.get_running_loop()
        give_up = None if timeout_s is None else loop.time() + timeout_s
        latest: verification_service_pb2.CheckProgress | None = None
        lost = 0
        while True:
            left = None if give_up is None else give_up - loop.time()
            call = self._stub.WatchCheck(request, timeout=left, metadata=self._metadata)
            try:
                async for response in call:
                    lost = 0
                    if response.progress != latest:
                        latest = response.progress
                        yield latest
            except grpc.aio.AioRpcError as error:
                lost += 1
                await asyncio.sleep(_reconnect_delay(error, lost, reconnects))
            else:
                return
            finally:
                # A caller that stops reading must not leave a watcher on the server.
                call.cancel()

    async def find_checks(
        self,
        *,
        subject_reference: str = "",
        request_id: str = "",
        created_since: datetime | None = None,
        created_before: datetime | None = None,
        state: "verification_service_pb2.CheckProgress.State.ValueType" = _ANY_STATE,
        timeout_s: float = _CALL_SECONDS,
    ) -> AsyncIterator[verification_service_pb2.CheckListing]:
        """Yield the caller's checks that meet every given condition, newest first, page by page.

        Their statuses are not signed: accept a person by the result of ``finish_check`` only.

        Args:
            request_id: Of the upload; finds its one check.
            created_since: With a time zone, as ``created_before``.
            timeout_s: Deadline of each try, seconds.

        Raises:
            CallRefusedError: The server refused, for example with PERMISSION_DENIED.
            ConnectionFailedError: The server cannot be reached.
        """
        request = verification_service_pb2.FindChecksRequest(
            subject_reference=subject_reference, request_id=request_id, state=state, page_size=_PAGE
        )
        for field, moment in (
            (request.created_since, created_since),
            (request.created_before, created_before),
        ):
            if moment is not None:
                field.FromDatetime(moment.astimezone(UTC))
        while True:
            page = await self._call(self._stub.FindChecks, request, timeout_s)
            for listing in page.checks:
                yield listing
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def cancel_check(
        self, check_id: str, *, timeout_s: float = _CALL_SECONDS
    ) -> verification_service_pb2.CheckProgress:
        """Cancel a check. A decided check does not change.

        Args:
            timeout_s: Deadline of each try, seconds.

        Raises:
            CallRefusedError: The server refused, for example with CHECK_NOT_FOUND.
            ConnectionFailedError: The server cannot be reached.
        """
        request = verification_service_pb2.CancelCheckRequest(check_id=check_id)
        return (await self._call(self._stub.CancelCheck, request, timeout_s)).progress

    async def finish_check(
        self,
        check_id: str,
        *,
        audit_image_limit: int = 0,
        close_now: bool = False,
        wait_s: float = 0.0,
        timeout_s: float = _CALL_SECONDS,
    ) -> verification_service_pb2.FinishCheckResponse:
        """Close a check and return its result, verified if this orchestrator has the keys.

        Args:
            audit_image_limit: Audit images to return, 0 to 4.
            close_now: Whether to close the check even if a scan runs or may still be resumed.
            wait_s: The longest time to repeat the call while a scan runs or may still be resumed, seconds.
            timeout_s: Deadline of each try, seconds.

        Raises:
            CallRefusedError: The server refused, for example with NOT_SCANNED_YET.
            ConnectionFailedError: The server cannot be reached.
            SandboxResultError: The check is a sandbox check, which this orchestrator does not accept.
            ServerNotTrustedError: The result's signature or an image's hash is wrong.
        """
        request = verification_service_pb2.FinishCheckRequest(
            check_id=check_id,
            audit_image_limit=audit_image_limit,
            close_now=close_now,
            issuer_header=True,
        )
        loop = asyncio.get_running_loop()
        give_up = loop.time() + wait_s
        while True:
            try:
                response = await self._call(self._stub.FinishCheck, request, timeout_s)
            except ClientError as refused:
                asked, left = _asked_to_wait(refused), give_up - loop.time()
                if asked is None or left <= 0:
                    raise
                await asyncio.sleep(min(asked, left))
                continue
            if self._keys is not None:
                verify_response(
                    response,
                    self._keys,
                    check_id=check_id,
                    issuer=self._issuer,
                    tenant=self._tenant,
                    accept_sandbox=self._accept_sandbox,
                )
            elif response.result.sandbox and not self._accept_sandbox:
                raise SandboxResultError(check_id)
            return response

    async def _call(
        self, method: Callable[..., Awaitable[_Answer]], request: Message, timeout_s: float
    ) -> _Answer:
        """Make a call, and repeat it as it is while its answer may be lost, or the server puts it off."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        for wait in (*_WAITS_S, None):
            try:
                return await method(request, timeout=timeout_s, metadata=self._metadata)
            except grpc.aio.AioRpcError as error:
                if wait is None and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                    raise _without_answer(error, request, seconds=loop.time() - began) from error
                failure = translate_error(error)
                asked = _least_wait(failure)
                if wait is None or asked is None or asked > _LONGEST_WAIT_S:
                    raise failure from error
            await asyncio.sleep(max(wait, asked) * random.uniform(1.0, 1.5))  # noqa: S311 - no secret
        raise AssertionError("the last try returns or raises")


def ticket_of(response: verification_service_pb2.UploadTrustedImageResponse) -> ScanTicket:
    """Return the ticket that the orchestrator passes to the device."""
    return ScanTicket(token=response.scan_token, challenge_key_sha256=response.challenge_key_sha256)


def _without_answer(error: grpc.aio.AioRpcError, request: Message, *, seconds: float) -> ClientError:
    """Return the error of a call whose deadlines passed: its name, and the time that it waited in all."""
    refusal = refusal_of(error)
    name = request.DESCRIPTOR.name.removesuffix("Request")
    message = f"{name} got no answer in {seconds:.0f} seconds, in {len(_WAITS_S) + 1} tries"
    return CallRefusedError(refusal if refusal.reason else replace(refusal, message=message))


def _least_wait(error: ClientError) -> float | None:
    """Return the least wait before the same call, seconds; ``None`` if repeating does not mend the error."""
    if isinstance(error, ConnectionFailedError):
        return 0.0
    if not isinstance(error, CallRefusedError):
        return None
    refusal = error.refusal
    if refusal.code == "DEADLINE_EXCEEDED":
        return 0.0
    passes = refusal.code == "UNAVAILABLE" or refusal.reason == "OVERLOADED"
    return refusal.retry_after_s if passes else None


def _asked_to_wait(error: ClientError) -> float | None:
    """Return the seconds after which to call again, if a scan is in progress; ``None`` for other errors."""
    if isinstance(error, CallRefusedError) and error.refusal.reason == _AGAIN:
        return error.refusal.retry_after_s or _POLL_SECONDS
    return None


def _reconnect_delay(error: grpc.aio.AioRpcError, lost: int, reconnects: ReconnectPolicy) -> float:
    failure = translated_in_stream(error)
    if not isinstance(failure, StreamLostError):
        raise failure from error
    if lost > reconnects.limit:
        raise failure.final from error
    return reconnects.delay(lost, asked_s=failure.retry_after_s, jitter=random.random())  # noqa: S311 - no secret
