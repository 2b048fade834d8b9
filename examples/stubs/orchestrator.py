"""The calls of an orchestrator on `grpcio`, `googleapis-common-protos` and the generated stubs."""

import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
from facegate.v1 import verification_service_pb2 as pb
from facegate.v1.verification_service_pb2_grpc import VerificationServiceStub
from google.rpc import error_details_pb2, status_pb2

# The answer may be lost, although the server may have acted: the same call again returns it.
LOST = {
    (grpc.StatusCode.UNAVAILABLE, ""),
    (grpc.StatusCode.DEADLINE_EXCEEDED, ""),
    (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"),
}


def connect(
    target: str, ca: bytes, certificate: bytes | None = None, key: bytes | None = None
) -> grpc.Channel:
    """Open a channel with TLS, and with mutual TLS if a certificate and its key are given.

    gRPC takes the proxy of the environment, also to this machine unless ``no_proxy`` names it.
    """
    return grpc.secure_channel(target, grpc.ssl_channel_credentials(ca, key, certificate))


def refusal(error: grpc.RpcError) -> tuple[str, float | None]:
    """The reason of an error, empty if the server did not answer, and the seconds of its RetryInfo."""
    reason, seconds = "", None
    for name, value in error.trailing_metadata() or ():
        if name == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
                if detail.Unpack(info) and info.domain == "facegate.org":
                    reason = info.reason
                elif detail.Unpack(retry):
                    seconds = retry.retry_delay.ToTimedelta().total_seconds()
    return reason, seconds


class Facegate:
    """The calls of an orchestrator."""

    def __init__(self, channel: grpc.Channel, api_key: str | None = None) -> None:
        self._stub = VerificationServiceStub(channel)
        self._metadata = [("authorization", f"Bearer {api_key}")] if api_key else []

    def upload(
        self, portrait: bytes, *, request_id: str, subject: str, policy: str = ""
    ) -> pb.UploadTrustedImageResponse:
        """Create a check; called again with the same request_id and fields, it returns the same check."""
        request = pb.UploadTrustedImageRequest(
            image=portrait, policy=policy, subject_reference=subject, request_id=request_id
        )
        return self._call(self._stub.UploadTrustedImage, request, timeout=10)

    def states(self, check_id: str) -> Iterator[pb.CheckProgress]:
        """The states of a check until it is decided, closed or expired."""
        request = pb.WatchCheckRequest(check_id=check_id)
        for response in self._stub.WatchCheck(request, metadata=self._metadata):
            yield response.progress

    def finish(self, check_id: str) -> pb.FinishCheckResponse:
        """The verdict."""
        request = pb.FinishCheckRequest(check_id=check_id, issuer_header=True)
        return self._call(self._stub.FinishCheck, request, timeout=5)

    def cancel(self, check_id: str) -> pb.CheckProgress:
        """Give a check up."""
        return self._call(
            self._stub.CancelCheck, pb.CancelCheckRequest(check_id=check_id), timeout=5
        ).progress

    def _call(self, method: Callable[..., Any], request: Any, *, timeout: float, tries: int = 5) -> Any:
        """Repeat a call whose answer was lost, or as RetryInfo asks, with the same request."""
        tried = 0
        while True:
            try:
                return method(request, timeout=timeout, metadata=self._metadata)
            except grpc.RpcError as error:
                tried += 1
                reason, seconds = refusal(error)
                if seconds is None and (error.code(), reason) in LOST:
                    seconds = 0.25 * 2**tried
                if tried == tries or seconds is None or seconds > 30:
                    raise
                time.sleep(seconds * random.uniform(1.0, 1.5))  # noqa: S311 - jitter, no secret
