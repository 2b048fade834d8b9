"""Uploads of videos, message by message, up to their decoding."""

import functools
import struct
from collections.abc import Iterator

from facegate.v1 import analysis_service_pb2 as analysis_pb2
from google.protobuf.message import DecodeError

from server.analysis.upload import MOST_BYTES, UploadKind, VideoUpload
from server.base.errors import Refusal
from server.edge.analysis_servicer import upload_plan
from tests.fuzz.engine import assert_sound

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
