"""Requirements for every refusal."""

import random
import zlib
from collections.abc import Callable, Sequence

from facegate.v1 import error_reason_pb2

from server.base.errors import Refusal
from server.edge.status import to_status

_LARGEST_STATUS = 4096
"""Details of a refusal travel as metadata, of which clients accept 8 KiB by default."""


def assert_sound(refusal: Refusal) -> None:
    """A refusal that every client can receive, without internal text."""
    status = to_status(refusal)
    size = sum(len(key) + len(value) for key, value in status.trailing_metadata or ())
    assert size < _LARGEST_STATUS, f"{size} bytes of details"
    assert len(status.details.encode()) < _LARGEST_STATUS
    assert "Traceback" not in status.details
    assert f"ERROR_REASON_{refusal.reason.value}" in error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_name


# Mutations of a seed in one case.

MAX_BYTES = 65_536
"""Maximum length of a case: limits on bytes are tested elsewhere, and long cases are slow."""

_MOST_CHANGES = 8
_SPARED = (0, 0, 0, 8, 33, 200)
"""Length of a seed's head that a case leaves unchanged, bytes."""
_MAGIC = (
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    0x100,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x10000,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
)
_WORDS = (
    b"\xff\xd8\xff",
    b"\xff\xd9",
    b"\xff\xda",
    b"\xff\xc0\x00\x11",
    b"\x89PNG\r\n\x1a\n",
    b"IHDR",
    b"IDAT",
    b"IEND",
    b"acTL",
    b"tRNS",
    b"eXIf",
    b"Exif\x00\x00",
    b"II*\x00",
    b"MM\x00*",
    b"jP  ",
    b"ihdr",
    b"jp2c",
    b"\xff\x4f\xff\x51",
    b"FAC\x00",
    b"%PDF",
    b"\x00" * 16,
    b"\xff" * 16,
    b"-1",
    b"nan",
    b"1e999",
    b"9" * 5000,
    b"[" * 3000,
    b"\xed\xa0\x80",
    b"\xf0\x9f\x98\x80",
    b"\x00",
    b"= ",
    b"\n",
    b'"',
)

_Change = Callable[[random.Random, bytearray, Sequence[bytes]], None]


def case_bytes(target: str, seed: int, number: int, seeds: Sequence[bytes]) -> bytes:
    """The input of one case.

    Args:
        seed: Of the whole run.
        number: Of the case, from 0.
        seeds: Valid inputs, in a fixed order.
    """
    # The seed is not a string, because hashing it would cost more than many cases.
    rng = random.Random((seed << 64) ^ (zlib.crc32(target.encode()) << 32) ^ number)
    whole = rng.choice(seeds)
    # Damage to a header mostly ends in its parser; the code behind it needs cases with a valid header.
    spared = rng.choice(_SPARED)
    head, data = whole[:spared], bytearray(whole[spared:])
    for _ in range(rng.randint(1, rng.randint(1, _MOST_CHANGES))):
        rng.choice(_CHANGES)(rng, data, seeds)
        del data[MAX_BYTES - spared :]
    return head + bytes(data)


def _place(rng: random.Random, data: bytearray) -> int:
    # Headers come first, and most decisions depend on them.
    end = len(data) if rng.random() < 0.5 else min(len(data), 64)
    return rng.randrange(end + 1)


def _block(rng: random.Random, data: bytearray) -> slice:
    start = _place(rng, data)
    return slice(start, min(len(data), start + rng.choice((1, 2, 4, 8, 16, 64, 256, 4096))))


def _flip_bit(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _flip_early_bit(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    if data:
        data[rng.randrange(min(64, len(data)))] ^= 1 << rng.randrange(8)


def _set_byte(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.randrange(256)


def _set_number(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    size = rng.choice((1, 2, 4, 8))
    start = _place(rng, data)
    value = (rng.choice(_MAGIC) + rng.randint(-1, 1)) % (1 << 8 * size)
    data[start : start + size] = value.to_bytes(size, rng.choice(("big", "little")))


def _stretch_length(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    """Treat some bytes as a length field and make it a little, or much, longer or shorter."""
    size = rng.choice((1, 2, 4))
    start = _place(rng, data)
    value = int.from_bytes(data[start : start + size], "big")
    value = rng.choice(
        (value + 1, value - 1, value * 2, value // 2, value + 256, value ^ (1 << 8 * size - 1))
    )
    data[start : start + size] = (value % (1 << 8 * size)).to_bytes(size, "big")


def _delete(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    del data[_block(rng, data)]


def _repeat(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    block = _block(rng, data)
    data[block.stop : block.stop] = bytes(data[block]) * rng.choice((1, 1, 2, 3, 64))


def _swap(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    one, other = sorted((_block(rng, data), _block(rng, data)), key=lambda block: block.start)
    if one.stop <= other.start:
        first, second = bytes(data[one]), bytes(data[other])
        data[other] = first
        data[one] = second


def _insert(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    place = _place(rng, data)
    data[place:place] = rng.randbytes(rng.choice((1, 2, 4, 16, 100)))


def _insert_word(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    place = _place(rng, data)
    data[place:place] = rng.choice(_WORDS)


def _cut(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    del data[_place(rng, data) :]


def _splice(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    other = rng.choice(seeds)
    data[_place(rng, data) :] = other[rng.randrange(len(other) + 1) :]


_CHANGES: tuple[_Change, ...] = (
    _flip_bit,
    _flip_early_bit,
    _set_byte,
    _set_number,
    _stretch_length,
    _delete,
    _repeat,
    _swap,
    _insert,
    _insert_word,
    _cut,
    _splice,
)
