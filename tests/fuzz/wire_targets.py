"""Input from the wire: every message, the server's codecs and services, and transcripts."""

import asyncio
import functools
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

from facegate.v1 import analysis_service_pb2 as analysis_pb2
from facegate.v1 import (
    device_pb2,
    error_reason_pb2,
    feedback_pb2,
    result_pb2,
    scan_pb2,
)
from facegate.v1 import verification_service_pb2 as service_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from prometheus_client import CollectorRegistry

from facegate_protocol import MacChain, sign
from server.analysis.upload import MOST_BYTES, UploadKind, VideoUpload
from server.base.errors import Refusal
from server.checks.hosted import HostedOffer
from server.checks.intake import CheckIntake, PortraitIntake, TryGate
from server.checks.offer import CheckOffer
from server.configuration.hosted import HostedSettings
from server.configuration.tables import FailureSettings
from server.edge.analysis_servicer import upload_plan
from server.edge.callers import CallerIdentifier
from server.edge.places import PlaceRules, Places
from server.edge.scan_codec import to_inbound
from server.edge.service_servicer import ServiceEnvironment, ServiceServicer
from server.policies import load_policies
from server.policies.availability import availabilities
from server.scan.handshake import validate_start
from server.scan.messages import FrameMessage, StartMessage
from server.scan.transcript import StreamTranscript
from server.telemetry.metrics import Metrics
from tests.fuzz.engine import assert_sound
from tests.fuzz.secret_targets import SESSION_KEY, SESSION_KEY_DER, tokens
from vision.packs.calibration import load_calibration
from vision.packs.catalogue import load_catalogue

_FILES = (analysis_pb2, device_pb2, error_reason_pb2, feedback_pb2, result_pb2, scan_pb2, service_pb2)
_CHECK = UUID(int=7, version=4)


class _Reached(Exception):
    """The request was valid and reached the code behind the edge."""


# -- every message of the contract


@functools.cache
def _messages() -> tuple[type[Message], ...]:
    def below(descriptor: Descriptor) -> Iterator[Descriptor]:
        yield descriptor
        for nested in descriptor.nested_types:
            yield from below(nested)

    found = [
        nested
        for file in _FILES
        for descriptor in file.DESCRIPTOR.message_types_by_name.values()
        for nested in below(descriptor)
    ]
    return tuple(GetMessageClass(descriptor) for descriptor in sorted(found, key=lambda d: d.full_name))


def _filled(kind: type[Message], depth: int = 3) -> Message:
    """A message with every field set; of a oneof the last field."""
    message = kind()
    for field in message.DESCRIPTOR.fields:
        if field.message_type is not None:
            if not depth or field.message_type.GetOptions().map_entry:
                continue
            child = _filled(GetMessageClass(cast("Descriptor", field.message_type)), depth - 1)
            if field.is_repeated:
                getattr(message, field.name).append(child)
            else:
                getattr(message, field.name).CopyFrom(child)
            continue
        value = _value(cast("FieldDescriptor", field))
        if field.is_repeated:
            getattr(message, field.name).extend([value, value])
        else:
            setattr(message, field.name, value)
    return message


def _value(field: FieldDescriptor) -> object:
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_STRING:
            return b"bytes" if field.type == FieldDescriptor.TYPE_BYTES else "text"
        case FieldDescriptor.CPPTYPE_BOOL:
            return True
        case FieldDescriptor.CPPTYPE_FLOAT | FieldDescriptor.CPPTYPE_DOUBLE:
            return 1.5
        case FieldDescriptor.CPPTYPE_ENUM:
            assert field.enum_type is not None
            return field.enum_type.values[-1].number
        case _:
            return 3


@functools.cache
def every_message_seed() -> tuple[bytes, ...]:
    """Every message, each field filled."""
    return tuple(_filled(kind).SerializeToString(deterministic=True) for kind in _messages())


def parse_every_message(data: bytes) -> None:
    """Bytes that parse as any message are the same after a round trip."""
    for kind in _messages():
        message = kind()
        try:
            message.ParseFromString(data)
        except DecodeError:
            continue
        again = kind()
        again.ParseFromString(message.SerializeToString(deterministic=True))
        # Messages are not compared, because NaN differs from itself.
        assert again.SerializeToString(deterministic=True) == message.SerializeToString(deterministic=True)


# -- the device's messages


def _start(**changes: object) -> scan_pb2.ScanStart:
    start = scan_pb2.ScanStart(
        protocol_version=1,
        capabilities=[scan_pb2.CAPABILITY_FLASH],
        token=tokens().issue(_CHECK),
        key_share=bytes(range(32)),
        session_public_key=SESSION_KEY_DER,
        device=device_pb2.DeviceProfile(platform=device_pb2.PLATFORM_ANDROID),
        language="en",
    )
    for name, value in changes.items():
        setattr(start, name, value)
    return start


@functools.cache
def scan_seeds() -> tuple[bytes, ...]:
    """One of each message that a device sends."""
    header = scan_pb2.FrameHeader(
        attempt=1, index=2, capture_time_us=3_000_000, rotation=scan_pb2.ROTATION_90, width=360, height=480
    )
    end = scan_pb2.AttemptEndBody(
        attempt=1, frame_count=18, last_mac=bytes(32), cause=scan_pb2.AttemptEndBody.CAUSE_COMPLETE
    )
    attestation = cast("device_pb2.Attestation", _filled(device_pb2.Attestation))
    attestation.runtime_findings = _filled(device_pb2.RuntimeFindings).SerializeToString()
    requests = (
        scan_pb2.ScanFaceRequest(start=_start().SerializeToString()),
        scan_pb2.ScanFaceRequest(resume_proof=scan_pb2.ResumeProof(signature=sign(SESSION_KEY, b"proof"))),
        scan_pb2.ScanFaceRequest(attestation=attestation),
        scan_pb2.ScanFaceRequest(
            frame=scan_pb2.Frame(header=header.SerializeToString(), image=b"\xff\xd8\xff", mac=bytes(32))
        ),
        scan_pb2.ScanFaceRequest(
            attempt_end=scan_pb2.AttemptEnd(body=end.SerializeToString(), signature=sign(SESSION_KEY, b"end"))
        ),
    )
    return tuple(request.SerializeToString() for request in requests)


def read_scan_request(data: bytes) -> None:
    """Any bytes give an internal message or a refusal."""
    try:
        message = to_inbound(scan_pb2.ScanFaceRequest.FromString(data))
    except DecodeError:
        return
    except Refusal as refusal:
        assert_sound(refusal)
        return
    if isinstance(message, StartMessage):
        _check(message)


@functools.cache
def start_seeds() -> tuple[bytes, ...]:
    """Starts, each a little different."""
    return tuple(
        start.SerializeToString()
        for start in (_start(), _start(resume=True), _start(server_spki_sha256=bytes(32)))
    )


def check_a_start(data: bytes) -> None:
    """Any bytes as ScanStart give a session key or a refusal."""
    try:
        message = to_inbound(scan_pb2.ScanFaceRequest(start=data))
    except Refusal as refusal:
        assert_sound(refusal)
        return
    assert isinstance(message, StartMessage)
    assert message.raw == data
    _check(message)


def _check(message: StartMessage) -> None:
    try:
        validate_start(message)
    except Refusal as refusal:
        assert_sound(refusal)


# -- the orchestrator's messages


@functools.cache
def service_seeds() -> tuple[bytes, ...]:
    """Requests of both calls; the first byte selects the call."""
    upload = service_pb2.UploadTrustedImageRequest(
        image=b"\xff\xd8\xff\xe0",
        policy="standard",
        subject_reference="subject 7",
        consent_reference="consent 7",
        request_id=str(_CHECK),
    )
    finish = service_pb2.FinishCheckRequest(check_id=str(_CHECK), audit_image_limit=2)
    by_reference = service_pb2.UploadTrustedImageRequest(image_reference="portraits/7.jpg")
    return (
        b"\x00" + upload.SerializeToString(),
        b"\x00" + by_reference.SerializeToString(),
        b"\x01" + finish.SerializeToString(),
    )


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


def _places(kind: str) -> Places:
    return Places(kind, PlaceRules(most=4), metrics=Metrics(CollectorRegistry()))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pack:
    """A pack without models, as far as an upload needs one before its image is read."""

    match_calibration: Any
    embedder: Any
    name: str = "fuzz"
    evaluation_only: bool = True
    landmarker: Any = None
    pad_networks: tuple[object, ...] = (object(),)


@functools.cache
def _servicer() -> ServiceServicer:
    async def reached(*_: object, **__: object) -> None:
        raise _Reached

    embedder = load_catalogue().only("sface")
    pack = _Pack(
        match_calibration=load_calibration(embedder.sha256),
        embedder=SimpleNamespace(dimensions=128, embed=None),
    )
    calls = dict.fromkeys(
        ("run", "expect_allowed", "find_by_request", "finish", "read", "open", "page"), reached
    )
    behind = cast("Any", SimpleNamespace(**calls))
    unused = cast("Any", None)
    policies = load_policies()
    intake = CheckIntake(
        repository=behind,
        offer=CheckOffer(
            policies=policies,
            availabilities=availabilities(policies, missing={}),
            default_policy="low",
            pack=cast("Any", pack),
            allow_evaluation_pack=True,
        ),
        tries=TryGate(
            repository=behind,
            setting=FailureSettings().as_setting(),
            tenant_key=lambda scope: bytes(32),
            metrics=unused,
        ),
        portraits=PortraitIntake(
            pack=cast("Any", pack),
            pool=behind,
            metrics=Metrics(CollectorRegistry()),
            still_decoder=unused,
            trusted_images=behind,
        ),
        evidence=unused,
        pack=unused,
        keys=cast("Any", SimpleNamespace(tokens=tokens())),
        serialise_report=unused,
        enrolled=behind,
        metrics=unused,
        hosted=HostedOffer(
            HostedSettings(
                origin="https://verify.bank.example", name="Bank", return_urls=("https://bank.example",)
            ),
            unused,
        ),
    )
    servicer = ServiceServicer(
        callers=CallerIdentifier(api_keys=None, certificates=None, now=lambda: unused),
        calls=_places("calls"),
        uploads=_places("uploads"),
        watches=_places("watches"),
    )
    servicer.open(
        ServiceEnvironment(
            intake=intake,
            completion=behind,
            inquiry=behind,
            finder=behind,
            keys=unused,
            now=lambda: unused,
        )
    )
    return servicer


def serve_request(data: bytes) -> None:
    """Any bytes as a request reach the code behind the edge, or are refused."""
    servicer = _servicer()
    context = cast("Any", SimpleNamespace(time_remaining=lambda: 5.0, peer=lambda: "ipv4:192.0.2.7:4711"))
    try:
        if data[:1] == b"\x00":
            upload = service_pb2.UploadTrustedImageRequest.FromString(data[1:])
            call = servicer.UploadTrustedImage(upload, context)
            _loop().run_until_complete(call)
        elif data[:1] == b"\x02":
            find = service_pb2.FindChecksRequest.FromString(data[1:])
            _loop().run_until_complete(servicer.FindChecks(find, context))
        else:
            finish = service_pb2.FinishCheckRequest.FromString(data[1:])
            _loop().run_until_complete(servicer.FinishCheck(finish, context))
    except DecodeError:
        return
    except Refusal as refusal:
        assert_sound(refusal)
    except _Reached:
        return


# -- transcripts


_BINDING, _MAC_KEY, _NONCE = bytes(32), bytes(range(32)), bytes(16)


def _frame(index: int, image: bytes) -> FrameMessage:
    header = scan_pb2.FrameHeader(
        attempt=1, index=index, capture_time_us=1 + index * 40_000, width=9, height=9
    )
    raw = header.SerializeToString()
    message = to_inbound(scan_pb2.ScanFaceRequest(frame=scan_pb2.Frame(header=raw, image=image)))
    assert isinstance(message, FrameMessage)
    return message


@functools.cache
def _frames() -> tuple[FrameMessage, ...]:
    chain = MacChain(key=_MAC_KEY, binding=_BINDING)
    chain.mark_attempt(attempt=1, nonce=_NONCE)
    frames = [_frame(index, b"image %d" % index) for index in range(4)]
    return tuple(replace(f, mac=chain.add_frame(header=f.header, image=f.image)) for f in frames)


def _packed(frame: FrameMessage) -> bytes:
    wire = scan_pb2.Frame(header=frame.header, image=frame.image, mac=frame.mac)
    return scan_pb2.ScanFaceRequest(frame=wire).SerializeToString()


@functools.cache
def transcript_seeds() -> tuple[bytes, ...]:
    """Frames as they are sent."""
    return tuple(_packed(frame) for frame in _frames())


def follow_transcript(data: bytes) -> None:
    """Only the sent frame is accepted at its position; it is still accepted after a refusal."""
    transcript = StreamTranscript(
        key=_MAC_KEY,
        binding=_BINDING,
        session_key=SESSION_KEY.public_key(),
        ahead_seconds=1e9,
    )
    transcript.start_attempt(attempt=1, nonce=_NONCE, time=0.0)
    try:
        message = to_inbound(scan_pb2.ScanFaceRequest.FromString(data))
    except (DecodeError, Refusal):
        return
    if not isinstance(message, FrameMessage):
        return
    for sent in _frames():
        same = (message.header, message.image, message.mac) == (sent.header, sent.image, sent.mac)
        try:
            transcript.accept_frame(message, arrival=0.0)
        except Refusal as refusal:
            assert_sound(refusal)
            assert not same
            transcript.accept_frame(sent, arrival=0.0)
        else:
            assert same, "a frame was accepted that nobody sent"


# Uploads of videos, message by message, up to their decoding.


_LENGTH = struct.Struct(">H")
_Config = analysis_pb2.AnalyzeVideoConfig
_Request = analysis_pb2.AnalyzeVideoRequest


def _framed(*messages: _Request) -> bytes:
    parts = [message.SerializeToString(deterministic=True) for message in messages]
    return b"".join(_LENGTH.pack(len(part)) + part for part in parts)


@functools.cache
def upload_seeds() -> tuple[bytes, ...]:
    """Valid uploads of both kinds, each message after its length."""
    file = b"RIFF\x10\0\0\0AVI LIST" + bytes(4080)
    return (
        _framed(_Request(config=_Config(kind=_Config.KIND_VIDEO)), _Request(chunk=file)),
        _framed(
            _Request(
                config=_Config(
                    kind=_Config.KIND_VIDEO, container=_Config.CONTAINER_AVI, total_bytes=len(file) + 7
                )
            ),
            _Request(chunk=file),
            _Request(chunk=b"the end"),
        ),
        _framed(
            _Request(config=_Config(kind=_Config.KIND_FRAMES)),
            *(_Request(frame=b"\xff\xd8\xff" + bytes([number])) for number in range(9)),
        ),
    )


def read_upload(data: bytes) -> None:
    """Any messages give a file or still frames within the limits, or a refusal."""
    upload: VideoUpload | None = None
    try:
        for part in _parts(data):
            message = _Request.FromString(part)
            kind = message.WhichOneof("part")
            if upload is None:
                upload = VideoUpload(upload_plan(message.config))
            elif kind == "frame":
                upload.add_frame(message.frame)
            else:
                upload.add_chunk(message.chunk)
        if upload is None:
            return
        contents = upload.frames() if upload.plan.kind is UploadKind.FRAMES else [upload.video()]
        assert sum(len(content) for content in contents) <= MOST_BYTES
    except DecodeError:
        return
    except Refusal as refusal:
        assert_sound(refusal)


def _parts(data: bytes) -> Iterator[bytes]:
    at = 0
    while at + _LENGTH.size <= len(data):
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        yield data[at : at + length]
        at += length
