from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from hashlib import sha256

import pytest

from device_integrity.check import DeviceCheck, DeviceFinding, Manipulation
from device_integrity.policy import mark_decisive
from device_integrity.stream import (
    FrameMark,
    KeyUse,
    RecalledScan,
    ScanMemory,
    ScanQuery,
    check_attestation_key,
    check_device_subjects,
    check_frames_before,
    check_session_key,
    frame_marks,
    key_mark,
    picture_hash,
)
from tests.device_integrity.stream.streams import blocks, camera_stream, encode, frames, measured

_KEY, _OTHER_KEY = bytes(32), bytes([1] * 32)
_NOW = datetime(2026, 11, 20, tzinfo=UTC)


def _marks(jpegs: list[bytes], key: bytes = _KEY) -> tuple[FrameMark, ...]:
    images = [sha256(jpeg).digest() for jpeg in jpegs]
    pictures = {image: picture_hash(blocks(jpeg)) for image, jpeg in zip(images, jpegs, strict=True)}
    return frame_marks(measured(jpegs).frames, images=images, pictures=pictures, tenant_key=key)


class _Memory:
    """A store with the properties of the server's, in a dictionary."""

    def __init__(self) -> None:
        self._marks: dict[tuple[str, str, str], tuple[FrameMark, ...]] = {}
        self._uses: list[tuple[str, KeyUse]] = []

    async def recall(self, query: ScanQuery) -> tuple[RecalledScan, ...]:
        found = []
        for (tenant, _, check_id), marks in self._marks.items():
            if tenant != query.tenant or check_id == query.check_id:
                continue
            exact = any(mark.exact in query.exact for mark in marks)
            shown = len(query.pictures.intersection(mark.picture for mark in marks))
            near = any(len(query.bands.intersection(mark.bands)) >= query.least_bands for mark in marks)
            if exact or shown or near:
                found.append(RecalledScan(check_id=check_id, marks=marks, shown=shown))
        return tuple(found[: query.most])

    async def key_uses(self, *, tenant: str, key: bytes, since: datetime) -> tuple[KeyUse, ...]:
        return tuple(
            use for owner, use in self._uses if owner == tenant and use.key == key and use.time >= since
        )

    async def record(
        self, *, tenant: str, subject: str, check_id: str, time: datetime, marks: Sequence[FrameMark]
    ) -> None:
        self._marks[tenant, subject, check_id] = tuple(marks)

    async def record_key_use(self, *, tenant: str, use: KeyUse) -> None:
        self._uses.append((tenant, use))

    async def erase(self, *, tenant: str, subject: str | None = None, check_id: str | None = None) -> int:
        before = len(self._marks) + len(self._uses)
        self._marks = {
            key: marks
            for key, marks in self._marks.items()
            if key[0] != tenant or (key[1] != subject and key[2] != check_id)
        }
        self._uses = [
            (owner, use)
            for owner, use in self._uses
            if owner != tenant or (use.subject != subject and use.check_id != check_id)
        ]
        return before - len(self._marks) - len(self._uses)


def _query(marks: Sequence[FrameMark], tenant: str = "bank", check_id: str = "new") -> ScanQuery:
    return ScanQuery(
        tenant=tenant,
        check_id=check_id,
        exact=frozenset(mark.exact for mark in marks),
        pictures=frozenset(mark.picture for mark in marks if mark.picture),
        bands=frozenset(band for mark in marks for band in mark.bands),
    )


async def test_a_repeated_scan_is_recognised_by_its_tenant_only_until_erased() -> None:
    memory: ScanMemory = _Memory()
    marks = _marks(camera_stream())
    await memory.record(tenant="bank", subject="p1", check_id="old", time=_NOW, marks=marks)
    recalled = await memory.recall(_query(marks))
    check = check_frames_before(marks, recalled)
    assert (check.outcome, check.reason, check.soft) == (DeviceFinding.FAIL, "FRAMES_SEEN_BEFORE", False)
    assert await memory.recall(_query(marks, tenant="other")) == ()
    assert await memory.recall(_query(marks, check_id="old")) == ()
    assert await memory.erase(tenant="bank", subject="p1") == 1
    assert await memory.recall(_query(marks)) == ()


async def test_re_encoded_frames_are_recognised_softly() -> None:
    memory: ScanMemory = _Memory()
    shown = frames(48)
    marks = _marks([encode(luma) for luma in shown])
    await memory.record(tenant="bank", subject="p1", check_id="old", time=_NOW, marks=marks)
    again = _marks([encode(luma, quality=75) for luma in shown])
    check = check_frames_before(again, await memory.recall(_query(again)))
    assert (check.outcome, check.reason, check.soft) == (DeviceFinding.FAIL, "PICTURES_SEEN_BEFORE", True)


@pytest.mark.parametrize(
    ("returning", "reason"), [(48, "FRAMES_SHOWN_BEFORE"), (3, "FRAMES_SHOWN_BEFORE"), (2, "FRAMES_NEW")]
)
async def test_pictures_that_return_in_other_files_are_decisive(returning: int, reason: str) -> None:
    memory: ScanMemory = _Memory()
    earlier = camera_stream()
    await memory.record(tenant="bank", subject="p1", check_id="old", time=_NOW, marks=_marks(earlier))
    others = camera_stream(seed=5)[returning:]
    marks = _marks([jpeg + b"more" for jpeg in earlier[:returning]] + others)
    check = check_frames_before(marks, await memory.recall(_query(marks)))
    assert check.reason == reason
    assert (check.outcome, check.soft) == (
        (DeviceFinding.PASS, False) if returning == 2 else (DeviceFinding.FAIL, False)
    )
    (marked,) = mark_decisive([check])
    assert marked.decisive is (returning > 2)
    assert mark_decisive([check], tolerated=["memory.frames"])[0].tolerated is (returning > 2)


async def test_one_picture_that_a_blocked_camera_shows_each_time_proves_nothing() -> None:
    memory: ScanMemory = _Memory()
    # The same picture in 48 files, as an encoder that adds a counter writes it.
    (drawn,) = camera_stream(1)
    first, second = ([drawn + bytes([run, at]) for at in range(48)] for run in (0, 1))
    marks = _marks(first)
    assert len({mark.picture for mark in marks}) == 1
    await memory.record(tenant="bank", subject="p1", check_id="old", time=_NOW, marks=marks)
    again = _marks(second)
    check = check_frames_before(again, await memory.recall(_query(again)))
    assert check.soft or check.outcome is not DeviceFinding.FAIL


def test_another_scene_and_the_same_backwards_are_new() -> None:
    marks = _marks(camera_stream(seed=1))
    for earlier in (_marks(camera_stream(seed=2)), _marks(camera_stream(seed=1))[::-1]):
        stripped = tuple(FrameMark(exact=bytes(32), perceptual=mark.perceptual) for mark in earlier)
        check = check_frames_before(marks, [RecalledScan(check_id="old", marks=stripped)])
        assert check.outcome is DeviceFinding.PASS


def test_a_scene_without_movement_proves_nothing() -> None:
    still = _marks(camera_stream(moves=False))
    stripped = tuple(FrameMark(exact=bytes(32), perceptual=mark.perceptual) for mark in still)
    check = check_frames_before(still, [RecalledScan(check_id="old", marks=stripped)])
    assert check.outcome is DeviceFinding.NOT_EVALUATED


def test_marks_of_two_tenants_have_nothing_in_common() -> None:
    jpegs = camera_stream(8)
    one, other = _marks(jpegs), _marks(jpegs, _OTHER_KEY)
    assert not {mark.exact for mark in one} & {mark.exact for mark in other}
    assert not {mark.picture for mark in one} & {mark.picture for mark in other}
    assert all(len(mark.picture) == 24 for mark in one)
    assert key_mark(b"key", tenant_key=_KEY) != key_mark(b"key", tenant_key=_OTHER_KEY)


def test_hashes_that_differ_little_share_a_band() -> None:
    one = FrameMark(exact=b"", perceptual=bytes(32))
    flipped = bytearray(32)
    for at in range(15):
        flipped[2 * at] = 1
    near = FrameMark(exact=b"", perceptual=bytes(flipped))
    assert len(set(one.bands) & set(near.bands)) == 1
    assert all(len(band) == 3 for band in one.bands)


def test_nothing_to_see_leaves_no_marks() -> None:
    assert _marks([]) == ()
    assert check_frames_before((), []).outcome is DeviceFinding.UNAVAILABLE


@pytest.mark.parametrize(
    ("others", "outcome"),
    [(0, DeviceFinding.PASS), (4, DeviceFinding.PASS), (5, DeviceFinding.FAIL), (40, DeviceFinding.FAIL)],
)
def test_one_device_may_serve_a_family(others: int, outcome: DeviceFinding) -> None:
    uses = [KeyUse(key=b"k", subject=f"p{at}", check_id=f"c{at}", time=_NOW) for at in range(others)]
    check = check_device_subjects(uses, subject="me")
    assert check.outcome is outcome
    assert check.soft is (outcome is DeviceFinding.FAIL)


def test_subjects_that_are_not_named_cannot_be_counted() -> None:
    use = KeyUse(key=b"k", subject="", check_id="c", time=_NOW)
    assert check_device_subjects([use] * 9, subject="").outcome is DeviceFinding.NOT_EVALUATED


@pytest.mark.parametrize("check_key", [check_session_key, check_attestation_key])
def test_a_key_made_for_one_scan_serves_no_other(check_key: Callable[..., DeviceCheck]) -> None:
    own = KeyUse(key=b"k", subject="p", check_id="c1", time=_NOW)
    other = KeyUse(key=b"k", subject="p", check_id="c2", time=_NOW)
    assert check_key([own], check_id="c1").outcome is DeviceFinding.PASS
    check = check_key([own, other], check_id="c1")
    assert (check.outcome, check.soft) == (DeviceFinding.FAIL, False)
    assert check.sign_of is Manipulation.MAN_IN_THE_MIDDLE
