"""Saves the content of a result: the images with their original bytes, the result and its signature."""

import uuid
from pathlib import Path

from facegate.v1 import result_pb2, scan_pb2, verification_service_pb2
from google.protobuf import json_format

__all__ = ["SavedPicture", "result_json", "save_verdict"]

_SUFFIXES = {"image/jpeg": ".jpg", "image/png": ".png"}
_DEGREES = {scan_pb2.ROTATION_90: 90, scan_pb2.ROTATION_180: 180, scan_pb2.ROTATION_270: 270}


class SavedPicture:
    """A saved image, with its rotation and mirroring.

    Attributes:
        path: The file with the original bytes.
        rotation: Clockwise rotation that makes it upright, degrees.
        mirrored: Whether it is mirrored, to be undone after the rotation.
    """

    def __init__(self, path: Path, picture: result_pb2.EvidenceImage) -> None:
        self.path = path
        self.rotation = _DEGREES.get(picture.rotation, 0)
        self.mirrored = picture.mirrored

    def __str__(self) -> str:
        turns = f", to be rotated {self.rotation} degrees clockwise" if self.rotation else ""
        mirrored = ", mirrored" if self.mirrored else ""
        return f"{self.path}{turns}{mirrored}"


def result_json(result: result_pb2.CheckResult) -> str:
    """Returns the result as JSON with the names of the proto file. Bytes are base64."""
    return json_format.MessageToJson(result, preserving_proto_field_name=True, indent=2)


def save_verdict(
    response: verification_service_pb2.FinishCheckResponse, folder: Path
) -> tuple[SavedPicture, ...]:
    """Writes ``<check>-evidence``, ``-audit-N``, ``.json`` and ``.jws`` files.

    Args:
        response: The response with the result.
        folder: The folder; it is created if needed.

    Returns:
        The images, the evidence frame first.

    Raises:
        OSError: A file cannot be written.
        ValueError: The check's identifier is not a UUID.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # The identifier comes from the network and becomes part of a path.
    check_id = str(uuid.UUID(response.result.check_id))
    pictures = []
    if response.HasField("evidence_frame"):
        pictures.append(_save(response.evidence_frame, folder / f"{check_id}-evidence"))
    for number, picture in enumerate(response.audit_images, start=1):
        pictures.append(_save(picture, folder / f"{check_id}-audit-{number}"))
    (folder / f"{check_id}.json").write_text(result_json(response.result) + "\n", encoding="utf-8")
    if response.result_jws:
        (folder / f"{check_id}.jws").write_text(response.result_jws + "\n", encoding="ascii")
    return tuple(pictures)


def _save(picture: result_pb2.EvidenceImage, stem: Path) -> SavedPicture:
    path = stem.with_name(stem.name + _SUFFIXES.get(picture.media_type, ".bin"))
    path.write_bytes(picture.image)
    return SavedPicture(path, picture)
