"""Compares a scan with earlier scans of the same tenant: repeated frames, and keys that return too often.

The server keeps two kinds of records of each scan (``ScanMemory``): marks of its frames, and uses of its
keys. The tests are pure functions. The records are personal data, so retention and erasure apply: every
record names its subject and its check, and ``ScanMemory.forget`` erases by either. Exact marks are hashed
with the tenant's own secret, so that they are meaningless to others, and so must the store do with the bands
of perceptual hashes. A movement cannot be keyed, because it is compared by distance. It is too coarse to show
a face, and the store has to seal it with the check's evidence key.
"""

import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from device_integrity.device_test import (
    DeviceTest,
    Manipulation,
    not_evaluated,
    passed_test,
    suspect,
    unavailable,
)
from device_integrity.stream.motion import ScanMotion, motion_similarity
from device_integrity.stream.tracing import THUMBNAIL, FrameTrace, difference_hash

_FRAME_DOMAIN: Final = b"facegate-frame-mark-v1"
_PICTURE_DOMAIN: Final = b"facegate-picture-mark-v1"
"""Names the version of ``picture_hash``. Pictures of another version match none."""

_PICTURE_BYTES: Final = 24
_KEY_DOMAIN: Final = b"facegate-key-mark-v1"
_MOST_MARKS: Final = 16
_FEWEST_SHOWN: Final = 3
"""Least number of different pictures of one earlier check that return. A camera's noise makes one impossible,
but a blocked camera may deliver the same drawn picture each time."""

_BAND_BYTES: Final = 2
_BANDS: Final = 16
_NEAR_BITS: Final = 10
"""Most of 256 bits by which the hashes of similar frames differ, so that their scans are compared."""

_SIMILAR: Final = 0.7
"""Similarity from which there is a doubt; see docs/device_integrity.md."""

_MOST_SUBJECTS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameMark:
    """The marks that recognise one frame.

    Attributes:
        exact: HMAC-SHA-256 of the encoded image's hash under the tenant's key, 32 bytes.
        perceptual: Difference hash, 32 bytes, to find similar scans; empty for most frames.
        picture: HMAC-SHA-256 of the decoded picture's hash under the tenant's key, the first 24 bytes; empty
            for a frame without enough texture. It is the same in whatever file the picture is.
        bands: The 16 slices of ``perceptual``, each with its position, as keys to find candidates: two hashes
            that differ in n bits share at least 16 - n slices (M. Norouzi et al., "Fast search in Hamming
            space with multi-index hashing", 2012).
    """

    exact: bytes
    perceptual: bytes
    picture: bytes = b""

    @property
    def bands(self) -> tuple[bytes, ...]:
        """16 keys of 3 bytes: the slice's number, then its two bytes."""
        return tuple(
            bytes([at]) + self.perceptual[at * _BAND_BYTES : (at + 1) * _BAND_BYTES]
            for at in range(len(self.perceptual) // _BAND_BYTES)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUse:
    """One use of a device's key.

    Attributes:
        key: The key's mark, the result of ``key_mark``, 32 bytes.
        subject: The identifier of the person, the same in all records of the tenant, such as a keyed hash
            of the orchestrator's subject reference; empty if the orchestrator gave no reference.
    """

    key: bytes
    subject: str
    check_id: str
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecalledScan:
    """An earlier scan of the same tenant that shares a mark or a band with this one.

    Attributes:
        repeated: The number of its frames whose exact mark is in the query.
        shown: The number of its different pictures that are in the query.
    """

    check_id: str
    motions: tuple[ScanMotion, ...] = ()
    repeated: int = 0
    shown: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanQuery:
    """A query to a tenant's scan memory.

    Attributes:
        tenant: The tenant, the only one whose scans are searched.
        check_id: This check, whose own earlier attempts do not count.
        bands: Bands to find; those of mirrored frames find mirrored copies.
        subject: The subject of this check, as in ``KeyUse.subject``, whose latest scans are returned in any
            case; empty if it names none.
        least_bands: The least number of these bands that a similar frame shares.
        most: The maximum number of scans to return by their frames, those with the most hits first, and of
            the subject, the latest first.
    """

    tenant: str
    check_id: str
    exact: frozenset[bytes]
    bands: frozenset[bytes]
    pictures: frozenset[bytes] = frozenset()
    subject: str = ""
    least_bands: int = _BANDS - _NEAR_BITS
    most: int = 24


class ScanMemory(Protocol):
    """The interface of the server's scan memory.

    A store must keep the tenant, the subject, the check and the time of every record, refuse to answer across
    tenants, erase records when the check's evidence is erased, and answer before the scan's time ends.
    Subjects are as in ``KeyUse.subject``.
    """

    async def recall(self, query: ScanQuery) -> tuple[RecalledScan, ...]:
        """Return earlier scans with a frame that may be one of the query's frames, and those of the subject.

        That is a frame whose exact mark or picture is in the query, or a frame that has at least
        ``query.least_bands`` of the query's bands.
        """
        ...

    async def key_uses(self, *, tenant: str, key: bytes, since: datetime) -> tuple[KeyUse, ...]:
        """Return the uses of a key since a time, in any order."""
        ...

    async def record(
        self,
        *,
        tenant: str,
        subject: str,
        check_id: str,
        time: datetime,
        marks: Sequence[FrameMark],
        motions: Sequence[ScanMotion] = (),
    ) -> None:
        """Store the marks of an attempt's frames, and its movement, when the attempt has ended.

        Those of the check's other attempts stay.
        """
        ...

    async def record_key_use(self, *, tenant: str, use: KeyUse) -> None:
        """Store one use of a key by a scan."""
        ...


def frame_marks(
    frames: Sequence[FrameTrace],
    *,
    images: Sequence[bytes],
    pictures: Mapping[bytes, bytes],
    tenant_key: bytes,
) -> tuple[FrameMark, ...]:
    """Return the marks to store of an attempt: an exact mark of every frame that has contrast.

    Up to 16 evenly spread, measured frames have a perceptual hash as well. A frame that was not measured is
    marked if the measured frames before and after it have contrast.

    Args:
        frames: The measured frames, in order.
        images: SHA-256 of every received frame's encoded image, in order.
        pictures: The results of ``picture_hash`` by these hashes.
        tenant_key: 32 bytes that no other tenant has.
    """
    shown = [frame for frame in frames if frame.textured]
    if not shown:
        return ()
    hashes = {frame.sha256: difference_hash(frame.thumbnail) for frame in _spread(shown)}
    return tuple(
        FrameMark(
            exact=hmac.digest(tenant_key, _FRAME_DOMAIN + image, "sha256"),
            perceptual=hashes.get(image, b""),
            picture=_picture_mark(pictures.get(image, b""), tenant_key),
        )
        for image in dict.fromkeys((*_textured(frames, images), *hashes))
    )


def mirrored_bands(frames: Sequence[FrameTrace]) -> frozenset[bytes]:
    """Return the bands of up to 16 of the frames, mirrored: a mirrored copy of a scan has these."""
    return frozenset(
        band
        for frame in _spread([frame for frame in frames if frame.textured])
        for band in FrameMark(exact=b"", perceptual=difference_hash(_mirrored(frame.thumbnail))).bands
    )


def _spread(frames: Sequence[FrameTrace]) -> list[FrameTrace]:
    places = np.linspace(0, len(frames) - 1, min(_MOST_MARKS, len(frames))).round().astype(int)
    return [frames[at] for at in np.unique(places)]


def _mirrored(thumbnail: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(thumbnail.reshape(THUMBNAIL)[:, ::-1]).ravel()


def _picture_mark(picture: bytes, tenant_key: bytes) -> bytes:
    return hmac.digest(tenant_key, _PICTURE_DOMAIN + picture, "sha256")[:_PICTURE_BYTES] if picture else b""


def _textured(frames: Sequence[FrameTrace], images: Sequence[bytes]) -> Iterator[bytes]:
    """Yield the images that are measured and have contrast, or lie between such images."""
    measured = {frame.sha256: frame.textured for frame in frames}
    before, waiting = True, list[bytes]()
    for image in images:
        textured = measured.get(image)
        if textured is None:
            waiting.append(image)
            continue
        if before and textured:
            yield from waiting
        if textured:
            yield image
        before, waiting = textured, []
    if before:
        yield from waiting


def key_mark(public_key: bytes, *, tenant_key: bytes) -> bytes:
    """Return a key's mark: HMAC-SHA-256 of its SubjectPublicKeyInfo under the tenant's key, 32 bytes."""
    return hmac.digest(tenant_key, _KEY_DOMAIN + public_key, "sha256")


def check_frames_before(marks: Sequence[FrameMark], recalled: Sequence[RecalledScan]) -> DeviceTest:
    """Return ``memory.frames``: whether an earlier scan had these frames.

    One frame with the same bytes fails hard, because no camera makes a frame twice; so do three frames that
    decode to the same pictures, however their files differ.
    """
    name = "memory.frames"
    if not marks:
        return unavailable(name, "NO_MARKS", "No frame has enough contrast to be recognised.")
    for scan in recalled:
        if scan.repeated:
            return suspect(
                name,
                "FRAMES_SEEN_BEFORE",
                f"{scan.repeated} frames have the same bytes as frames of an earlier check.",
                soft=False,
            )
    for scan in recalled:
        if scan.shown >= _FEWEST_SHOWN:
            return suspect(
                name,
                "FRAMES_SHOWN_BEFORE",
                f"{scan.shown} frames, in other files, show exactly the pictures of an earlier check.",
                soft=False,
            )
    return passed_test(name, "FRAMES_NEW", "No earlier scan had these frames.")


def check_similarity(motion: ScanMotion | None, recalled: Sequence[RecalledScan]) -> DeviceTest:
    """Return ``memory.similarity``: whether the scan moves as an earlier one, so that it may be a recording.

    It fails softly, which is a doubt and no more: two scans of one person may look alike by chance.

    Args:
        motion: The attempt's movement; ``None`` if it shows none, or answers a challenge, which asks every
            person for the same movements.
    """
    name = "memory.similarity"
    if motion is None:
        return not_evaluated(
            name, "NOTHING_TO_COMPARE", "The attempt moves too little, is too short, or answers a challenge."
        )
    score = motion_similarity(motion, [each for scan in recalled for each in scan.motions])
    if score >= _SIMILAR:
        return suspect(
            name,
            "SIMILAR_TO_EARLIER_SCAN",
            f"The scan moves as an earlier one does: similarity {score:.2f}, from {_SIMILAR:.2f} on a doubt.",
        )
    return passed_test(
        name, "MOVES_ANEW", f"No earlier scan moves like this one: similarity {score:.2f} of {_SIMILAR:.2f}."
    )


def check_device_subjects(uses: Sequence[KeyUse], *, subject: str) -> DeviceTest:
    """Return ``memory.subjects``: whether many subjects use one device's key.

    It fails softly, because families share phones.

    Args:
        uses: Uses of the key that outlives a scan (App Attest, WebAuthn), within the policy's window.
        subject: The subject of this check, as in the uses; empty if it names none.
    """
    name = "memory.subjects"
    people = {use.subject for use in uses if use.subject} | ({subject} if subject else set())
    if not people:
        return not_evaluated(name, "NO_SUBJECTS", "Neither this check nor earlier ones name a subject.")
    if len(people) > _MOST_SUBJECTS:
        return suspect(
            name,
            "MANY_SUBJECTS",
            f"The device's key was used for {len(people)} subjects; {_MOST_SUBJECTS} may share a device.",
        )
    return passed_test(name, "FEW_SUBJECTS", f"The device's key was used for {len(people)} subjects.")


def check_session_key(uses: Sequence[KeyUse], *, check_id: str) -> DeviceTest:
    """Return ``memory.session_key``: whether another check used the scan's session key, which must be new.

    The attempts and reconnects of ``check_id``, this check, keep their key.
    """
    return _made_for_one("memory.session_key", uses, check_id)


def check_attestation_key(uses: Sequence[KeyUse], *, check_id: str) -> DeviceTest:
    """Return ``memory.attestation_key``: whether another check used an attested key, which must be new.

    The protocol demands a new key for every scan. The attempts and reconnects of ``check_id``, this check,
    keep theirs.
    """
    return _made_for_one("memory.attestation_key", uses, check_id)


def _made_for_one(name: str, uses: Sequence[KeyUse], check_id: str) -> DeviceTest:
    others = {use.check_id for use in uses} - {check_id}
    if others:
        return suspect(
            name,
            "KEY_REUSED",
            f"{len(others)} other checks used the key of this scan; every scan must make a new one.",
            soft=False,
            sign=Manipulation.MAN_IN_THE_MIDDLE,
        )
    return passed_test(name, "KEY_NEW", "No other check used the key of this scan.")
