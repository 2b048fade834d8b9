"""The reference client: the orchestrator's and the device's side of Facegate, in Python.

It uses `facegate.v1` for the wire and `facegate_protocol` for the cryptography, and nothing else of this
project. So it can be written again in any language from `docs/device_protocol.md`.
"""

from facegate_client.analysis import AnalysisClient
from facegate_client.archive import (
    ExportedCheck,
    VerifiedArchive,
    VerifiedRecord,
    VerifiedReview,
    is_person_export,
    verify_archive,
    verify_person_export,
    verify_record_jws,
    verify_review_jws,
)
from facegate_client.camera import CameraSource, open_camera
from facegate_client.channel import (
    ApiKey,
    TlsSettings,
    certificate_spki_sha256,
    is_loopback,
    open_channel,
    server_spki_sha256,
)
from facegate_client.device import Attestor, FaceScanner, NoAttestation, ScanOutcome, ScanSettings
from facegate_client.errors import (
    CallRefusedError,
    ClientError,
    ConnectionFailedError,
    CredentialsError,
    ProtocolViolatedError,
    SandboxResultError,
    ScanEndedError,
    ServerError,
    ServerNotTrustedError,
    SourceError,
    StreamLostError,
)
from facegate_client.flash_screen import DisplayedStep, FlashScreen
from facegate_client.frame_source import (
    CameraDescription,
    CapturedImage,
    Exposure,
    FrameSource,
    Pace,
    Pixels,
    QuarterTurn,
)
from facegate_client.orchestrator import Orchestrator, ticket_of
from facegate_client.progress import GetReady, ScanEvents
from facegate_client.recording import Recording
from facegate_client.result_keys import fetch_key_set
from facegate_client.result_signature import KeySet, load_key_set, verify_response, verify_result_jws
from facegate_client.scan_stream import ReconnectPolicy, ScanTicket
from facegate_client.services import Compliance, Events, ExportedImage, Reviews
from facegate_client.video_file import generated_source, open_image_folder, open_video
from facegate_client.webhooks import WebhookEvent, verify_webhook

__all__ = [
    "AnalysisClient",
    "ApiKey",
    "Attestor",
    "CallRefusedError",
    "CameraDescription",
    "CameraSource",
    "CapturedImage",
    "ClientError",
    "Compliance",
    "ConnectionFailedError",
    "CredentialsError",
    "DisplayedStep",
    "Events",
    "ExportedCheck",
    "ExportedImage",
    "Exposure",
    "FaceScanner",
    "FlashScreen",
    "FrameSource",
    "GetReady",
    "KeySet",
    "NoAttestation",
    "Orchestrator",
    "Pace",
    "Pixels",
    "ProtocolViolatedError",
    "QuarterTurn",
    "ReconnectPolicy",
    "Recording",
    "Reviews",
    "SandboxResultError",
    "ScanEndedError",
    "ScanEvents",
    "ScanOutcome",
    "ScanSettings",
    "ScanTicket",
    "ServerError",
    "ServerNotTrustedError",
    "SourceError",
    "StreamLostError",
    "TlsSettings",
    "VerifiedArchive",
    "VerifiedRecord",
    "VerifiedReview",
    "WebhookEvent",
    "certificate_spki_sha256",
    "fetch_key_set",
    "generated_source",
    "is_loopback",
    "is_person_export",
    "load_key_set",
    "open_camera",
    "open_channel",
    "open_image_folder",
    "open_video",
    "server_spki_sha256",
    "ticket_of",
    "verify_archive",
    "verify_person_export",
    "verify_record_jws",
    "verify_response",
    "verify_result_jws",
    "verify_review_jws",
    "verify_webhook",
]
