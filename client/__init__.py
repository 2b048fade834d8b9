"""The reference client: what an orchestrator and a device SDK have to do, in Python.

The wire is `facegate.v1`, the cryptography `device_integrity.transcript`; nothing else of this
project is used, so that what is here can be written in any language from `docs/device_protocol.md`.
"""

from client.analysis import AnalysisClient
from client.attestation import Attestor, NoAttestation
from client.camera import CameraSource, open_camera
from client.channel import (
    ApiKey,
    TlsSettings,
    certificate_spki_sha256,
    is_loopback,
    open_channel,
    server_spki_sha256,
)
from client.device import FaceScanner, ScanOutcome, ScanSettings
from client.errors import (
    CallRefusedError,
    ClientError,
    ConnectionFailedError,
    CredentialsError,
    ProtocolViolatedError,
    Refusal,
    SandboxResultError,
    ScanEndedError,
    ServerNotTrustedError,
    SourceError,
    StreamLostError,
)
from client.flash_screen import DisplayedStep, FlashScreen
from client.frame_source import (
    CameraDescription,
    CapturedImage,
    Exposure,
    FrameSource,
    Pace,
    Pixels,
    QuarterTurn,
)
from client.generated import generated_source
from client.image_folder import open_image_folder
from client.orchestrator import Orchestrator, ticket_of
from client.progress import ScanEvents
from client.readiness import GetReady
from client.reconnect import ReconnectPolicy
from client.recording import Recording
from client.result_keys import fetch_key_set
from client.result_signature import load_key_set, verify_response, verify_result_jws
from client.scan_stream import ScanTicket
from client.video_file import open_video

__all__ = [
    "AnalysisClient",
    "ApiKey",
    "Attestor",
    "CallRefusedError",
    "CameraDescription",
    "CameraSource",
    "CapturedImage",
    "ClientError",
    "ConnectionFailedError",
    "CredentialsError",
    "DisplayedStep",
    "Exposure",
    "FaceScanner",
    "FlashScreen",
    "FrameSource",
    "GetReady",
    "NoAttestation",
    "Orchestrator",
    "Pace",
    "Pixels",
    "ProtocolViolatedError",
    "QuarterTurn",
    "ReconnectPolicy",
    "Recording",
    "Refusal",
    "SandboxResultError",
    "ScanEndedError",
    "ScanEvents",
    "ScanOutcome",
    "ScanSettings",
    "ScanTicket",
    "ServerNotTrustedError",
    "SourceError",
    "StreamLostError",
    "TlsSettings",
    "certificate_spki_sha256",
    "fetch_key_set",
    "generated_source",
    "is_loopback",
    "load_key_set",
    "open_camera",
    "open_channel",
    "open_image_folder",
    "open_video",
    "server_spki_sha256",
    "ticket_of",
    "verify_response",
    "verify_result_jws",
]
