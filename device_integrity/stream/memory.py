"""What other scans of the same customer add: frames seen before, and keys that come too often.

The server keeps two kinds of records for each scan and answers one question from them (``ScanMemory``); the
checks are pure. What is kept comes from pictures of people and from their devices' keys, so it falls under
retention and erasure: every record names its subject and its check, and ``ScanMemory.forget`` deletes by
either. Exact marks are keyed by the tenant's own secret, so that they tell nothing outside of it. A
perceptual hash cannot be keyed and still be compared by distance; it is too coarse to show a face, and is to
be sealed with the check's evidence key where it is stored.
"""

import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

import numpy as np

from device_integrity.check import DeviceCheck, Manipulation, passed
from device_integrity.stream.findings import not_evaluated, suspect, unavailable
from device_integrity.stream.thumbnails import difference_hash, hash_distances
from device_integrity.stream.tracing import FrameTrace

__all__ = [
    "FrameMark",
    "KeyUse",
    "RecalledScan",
    "ScanMemory",
    "ScanQuery",
    "check_attestation_key",
    "check_device_subjects",
    "check_frames_before",
    "check_session_key",
    "frame_marks",
    "key_mark",
]

_FRAME_DOMAIN: Final = b"facegate-frame-mark-v1"
_KEY_DOMAIN: Final = b"facegate-key-mark-v1"
_MOST_MARKS: Final = 16
_BAND_BYTES: Final = 2
_BANDS: Final = 16
_NEAR_BITS: Final = 10
"""Of 256. Encoding anew and scaling change a few; see docs/device_integrity.md."""

_FEWEST_NEAR: Final = 6
_NEAR_SHARE: Final = 0.6
_LEAST_VARIETY: Final = 20
"""Bits that a scan's own frames must differ by at most: a person who keeps still in the same place looks the
same in every scan, and proves nothing."""

_MOST_SUBJECTS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameMark:
    """How one frame is known again.

    Attributes:
        exact: HMAC-SHA-256 of the encoded image's hash under the tenant's key, 32 bytes.
        perceptual: Difference hash, 32 bytes; empty for a frame that is known by its bytes alone.
        bands: Slices of ``perceptual`` with their place, to look candidates up by: two hashes that differ
            in n bits share 16 - n of 16 (pigeonhole; M. Norouzi et al., "Fast search in Hamming space
            with multi-index hashing", 2012).
    """

    exact: bytes
    perceptual: bytes

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
        key: Of ``key_mark``.
        subject: The orchestrator's opaque reference; empty where it gave none.
        check_id: The check, as text.
        time: When.
    """

    key: bytes
    subject: str
    check_id: str
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecalledScan:
    """An earlier scan of the same tenant that shares a mark or a band with this one.

    Attributes:
        check_id: Its check, as text.
        marks: Those of its marks that have a perceptual hash, in order of capture.
        repeated: How many of its frames have one of the exact marks that were looked for.
    """

    check_id: str
    marks: tuple[FrameMark, ...]
    repeated: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanQuery:
    """What is asked of a tenant's memory.

    Attributes:
        tenant: Whose scans are looked through; never another's.
        check_id: This check, whose own earlier attempts do not count.
        exact: Exact marks to look for.
        bands: Bands to look for.
        least_bands: How many of them one frame must have; fewer, and it cannot be near.
        most: Scans to give back at most, those with most hits first.
    """

    tenant: str
    check_id: str
    exact: frozenset[bytes]
    bands: frozenset[bytes]
    least_bands: int = _BANDS - _NEAR_BITS
    most: int = 32


class ScanMemory(Protocol):
    """What the server's storage has to offer.

    A store must keep the tenant, the subject, the check and the time of every record, refuse to answer across
    tenants, drop records when the check's evidence is dropped, and answer within the scan's own time.
    """

    async def recall(self, query: ScanQuery) -> tuple[RecalledScan, ...]:
        """Earlier scans that have an exact mark, or a frame with ``least_bands`` of the bands."""
        ...

    async def key_uses(self, *, tenant: str, key: bytes, since: datetime) -> tuple[KeyUse, ...]:
        """Uses of a key since a time, in any order."""
        ...

    async def remember(
        self, *, tenant: str, subject: str, check_id: str, time: datetime, marks: Sequence[FrameMark]
    ) -> None:
        """Keep marks of an attempt that ended, beside those of the check's other attempts."""
        ...

    async def remember_key(self, *, tenant: str, use: KeyUse) -> None:
        """Keep a key's use."""
        ...

    async def forget(self, *, tenant: str, subject: str | None = None, check_id: str | None = None) -> int:
        """Delete all records of a subject or of a check; returns how many there were."""
        ...


def frame_marks(
    frames: Sequence[FrameTrace], *, images: Sequence[bytes], tenant_key: bytes
) -> tuple[FrameMark, ...]:
    """The marks to keep of an attempt: of every frame with something on it, by its bytes.

    Up to 16 measured frames, evenly spread, are known by what they show as well. A frame that was not
    measured counts where the measured ones around it have something on them.

    Args:
        frames: Those that were measured, in order.
        images: SHA-256 of every received frame's encoded image, in order.
        tenant_key: 32 bytes that no other tenant has.
    """
    shown = [frame for frame in frames if frame.textured]
    if not shown:
        return ()
    places = np.unique(np.linspace(0, len(shown) - 1, min(_MOST_MARKS, len(shown))).round().astype(int))
    hashes = {shown[at].sha256: difference_hash(shown[at].thumbnail) for at in places}
    return tuple(
        FrameMark(
            exact=hmac.digest(tenant_key, _FRAME_DOMAIN + image, "sha256"),
            perceptual=hashes.get(image, b""),
        )
        for image in dict.fromkeys((*_textured(frames, images), *hashes))
    )


def _textured(frames: Sequence[FrameTrace], images: Sequence[bytes]) -> Iterator[bytes]:
    """The images that are measured and have something on them, or lie between such."""
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
    """HMAC-SHA-256 of a key's SubjectPublicKeyInfo under the tenant's key, 32 bytes: how a key is kept."""
    return hmac.digest(tenant_key, _KEY_DOMAIN + public_key, "sha256")


def check_frames_before(marks: Sequence[FrameMark], recalled: Sequence[RecalledScan]) -> DeviceCheck:
    """``memory.frames``: whether an earlier scan had these frames.

    One frame of the very same bytes is hard: no camera makes it twice. Pictures that are alike, in the same
    order, are soft: the same person in the same place looks alike.
    """
    name = "memory.frames"
    if not marks:
        return unavailable(name, "NO_MARKS", "No frame has enough on it to be known again.")
    exact = {mark.exact for mark in marks}
    for scan in recalled:
        same = max(scan.repeated, len(exact.intersection(mark.exact for mark in scan.marks)))
        if same:
            return suspect(
                name,
                "FRAMES_SEEN_BEFORE",
                f"{same} frames have the very bytes of frames of an earlier check.",
                soft=False,
            )
    marks = [mark for mark in marks if mark.perceptual]
    hashes = np.frombuffer(b"".join(mark.perceptual for mark in marks), np.uint8).reshape(len(marks), -1)
    if int(hash_distances(marks[0].perceptual, hashes).max()) < _LEAST_VARIETY:
        return not_evaluated(
            name, "NOTHING_MOVES", "The scan's frames are too much alike to be told from another scan's."
        )
    for scan in recalled:
        near = _in_order(marks, [mark for mark in scan.marks if mark.perceptual])
        if near >= max(_FEWEST_NEAR, _NEAR_SHARE * len(marks)):
            return suspect(
                name,
                "PICTURES_SEEN_BEFORE",
                f"{near} of {len(marks)} pictures are like those of an earlier check, in the same order.",
            )
    return passed(name, "FRAMES_NEW", "No earlier scan had these frames.")


def check_device_subjects(uses: Sequence[KeyUse], *, subject: str, most: int = _MOST_SUBJECTS) -> DeviceCheck:
    """``memory.subjects``: whether one device's key speaks for many people. Families share phones: soft.

    Args:
        uses: Of the key that outlives a scan (App Attest, WebAuthn), within the policy's window.
        subject: This check's.
        most: People that may share a device.
    """
    name = "memory.subjects"
    people = {use.subject for use in uses if use.subject} | ({subject} if subject else set())
    if not people:
        return not_evaluated(name, "NO_SUBJECTS", "The checks name no subjects.")
    if len(people) > most:
        return suspect(
            name,
            "MANY_SUBJECTS",
            f"The device's key was used for {len(people)} subjects; {most} may share a device.",
        )
    return passed(name, "FEW_SUBJECTS", f"The device's key was used for {len(people)} subjects.")


def check_session_key(uses: Sequence[KeyUse], *, check_id: str) -> DeviceCheck:
    """``memory.session_key``: whether the scan's session key, which is made for it, served another check.

    Args:
        uses: Of the session key.
        check_id: This check, whose own attempts and reconnects keep their key.
    """
    return _made_for_one("memory.session_key", uses, check_id)


def check_attestation_key(uses: Sequence[KeyUse], *, check_id: str) -> DeviceCheck:
    """``memory.attestation_key``: whether an attested key that is made for one scan served another check.

    Args:
        uses: Of the keys of Android key attestations, which the protocol has made anew for every scan.
        check_id: This check, whose own attempts and reconnects keep their key.
    """
    return _made_for_one("memory.attestation_key", uses, check_id)


def _made_for_one(name: str, uses: Sequence[KeyUse], check_id: str) -> DeviceCheck:
    others = {use.check_id for use in uses} - {check_id}
    if others:
        return suspect(
            name,
            "KEY_REUSED",
            f"The key of this scan served {len(others)} other checks; it is to be made anew for each.",
            soft=False,
            sign=Manipulation.MAN_IN_THE_MIDDLE,
        )
    return passed(name, "KEY_NEW", "The key of this scan served no other check.")


def _in_order(marks: Sequence[FrameMark], earlier: Sequence[FrameMark]) -> int:
    """How many marks are near to marks of an earlier scan, in the same order."""
    if not earlier:
        return 0
    hashes = np.frombuffer(b"".join(mark.perceptual for mark in earlier), np.uint8).reshape(len(earlier), -1)
    # best[at]: the most marks matched so far, the last of them to the earlier scan's frame ``at`` at most.
    best = np.zeros(len(earlier) + 1, np.int64)
    for mark in marks:
        near = hash_distances(mark.perceptual, hashes) <= _NEAR_BITS
        reached = np.where(near, best[:-1] + 1, 0)
        best[1:] = np.maximum.accumulate(np.maximum(best[1:], reached))
    return int(best[-1])
