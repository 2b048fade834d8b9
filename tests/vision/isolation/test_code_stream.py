"""JPEG 2000 files that are whole, and files that lost something as disks and networks lose it."""

import contextlib
import io
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from formats.errors import ImageFault
from formats.image_header import parse_header
from tests.vision.decoders import decoders
from vision.errors import ImageError
from vision.isolation.code_stream import CodeStreamBroken, TooManyPackets, require_whole


def _picture() -> Image.Image:
    noise = np.random.default_rng(3).integers(0, 256, (250, 310, 3), np.uint8)
    return Image.fromarray(cv2.GaussianBlur(noise, (5, 5), 0).astype(np.uint8))


def _saved(mode: str = "RGB", *, picture: Image.Image | None = None, **options: object) -> bytes:
    made = io.BytesIO()
    (picture or _picture()).convert(mode).save(made, "JPEG2000", **options)
    return made.getvalue()


ONE_TILE = _saved()
TILES = _saved(tile_size=(64, 64))
VARIANTS = {
    "one tile": ONE_TILE,
    "tiles": TILES,
    "bare": _saved(no_jp2=True),
    "grey": _saved("L"),
    "opacity": _saved("RGBA"),
    "layers": _saved(quality_mode="rates", quality_layers=[80, 20, 5, 1], irreversible=True),
    **{
        f"{order}, precincts": _saved(
            progression=order,
            precinct_size=(64, 64),
            codeblock_size=(16, 32),
            quality_layers=[40, 8, 1],
            num_resolutions=4,
        )
        for order in ("LRCP", "RLCP", "RPCL", "PCRL", "CPRL")
    },
    "RPCL, tiles, precincts": _saved(progression="RPCL", tile_size=(100, 70), precinct_size=(32, 32)),
    "flat": _saved(picture=Image.new("RGB", (300, 200))),
}


def _tile_starts(data: bytes) -> Iterator[int]:
    at = data.index(b"\xff\x90\x00\x0a")
    while data[at : at + 2] == b"\xff\x90":
        yield at
        at += struct.unpack_from(">I", data, at + 6)[0]


@pytest.mark.parametrize("name", VARIANTS)
def test_a_whole_file_is_whole(name: str) -> None:
    require_whole(VARIANTS[name])
    require_whole(VARIANTS[name] + b"<html>")


def test_conformance_files_and_portraits_are_whole(assets: Path) -> None:
    files = [
        *(assets / "data" / "iso").glob("uclouvain__input__conformance__*"),
        *(assets / "data" / "iso").glob("mosip*.jp2"),
        *(assets / "data" / "iso").glob("*.jpf"),
        *(assets / "data" / "iso").glob("usnistgov*.jp2"),
        *(assets / "data" / "reported").glob("*.jp2"),
    ]
    assert len(files) >= 17
    for path in files:
        require_whole(path.read_bytes())


def _first_tiles(data: bytes, count: int) -> bytes:
    return data[: list(_tile_starts(data))[count]] + b"\xff\xd9"


def _broken(data: bytes) -> Iterator[tuple[str, bytes]]:
    start, size = data.index(b"\xff\x93") + 2, len(data)
    for part in (25, 50, 90, 99):
        at = start + (size - start) * part // 100
        yield f"cut at {part} %", data[:at]
        yield f"cut at {part} % and closed", data[:at] + b"\xff\xd9"
        yield f"zeros from {part} %", data[:at] + bytes(size - at)
        yield f"zeros from {part} % up to the end marker", data[:at] + bytes(size - at - 2) + data[-2:]
    middle = (start + size) // 2
    yield "2 kB lost", data[:middle] + data[middle + 2_000 :]
    yield "2 kB of zeros", data[:middle] + bytes(2_000) + data[middle + 2_000 :]
    yield "2 kB twice", data[:middle] + data[middle - 2_000 : middle] + data[middle:]
    yield "no image data", data[: start - 2] + b"\xff\xd9"


@pytest.mark.parametrize("name", [name for name in VARIANTS if name != "flat"])
def test_missing_data_are_found(name: str) -> None:
    passed = []
    for damage, data in _broken(VARIANTS[name]):
        with contextlib.suppress(CodeStreamBroken):
            require_whole(data)
            passed.append(damage)
    assert passed == []


def test_missing_tiles_are_found() -> None:
    starts = list(_tile_starts(TILES))
    assert len(starts) == 20
    for count in (1, 6, 19):
        with pytest.raises(CodeStreamBroken, match=f"{20 - count} of 20 tiles"):
            require_whole(_first_tiles(TILES, count))
    for lost in (0, 7, 18):
        with pytest.raises(CodeStreamBroken, match="1 of 20 tiles"):
            require_whole(TILES[: starts[lost]] + TILES[starts[lost + 1] :])


def test_only_the_end_marker_may_be_missing() -> None:
    require_whole(ONE_TILE[:-2])
    with pytest.raises(CodeStreamBroken):
        require_whole(ONE_TILE[:-2] + bytes(2))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(VARIANTS)), st.data())
def test_any_damage_is_passed_over_or_found(name: str, draw: st.DataObject) -> None:
    data = bytearray(VARIANTS[name])
    for _ in range(draw.draw(st.integers(1, 6))):
        data[draw.draw(st.integers(0, min(len(data) - 1, 400)))] = draw.draw(st.integers(0, 255))
    # No other exception.
    with contextlib.suppress(CodeStreamBroken, TooManyPackets):
        require_whole(bytes(data))


@given(st.binary(max_size=200))
def test_any_bytes_are_no_code_stream(noise: bytes) -> None:
    with pytest.raises(CodeStreamBroken):
        require_whole(b"\xff\x4f\xff\x51" + noise)


def _with_empty_layers(data: bytes, layers: int) -> bytes:
    """A file of one tile and one layer with empty layers behind it: a byte 0 for each packet."""
    components, resolutions = 3, 6
    empty = bytes(components * resolutions * (layers - 1))
    made = bytearray(data[:-2] + empty + data[-2:])
    coding = made.index(b"\xff\x52")
    assert made[coding + 6 : coding + 8] == b"\x00\x01"
    struct.pack_into(">H", made, coding + 6, layers)
    tile = made.index(b"\xff\x90\x00\x0a")
    struct.pack_into(">I", made, tile + 6, struct.unpack_from(">I", made, tile + 6)[0] + len(empty))
    return bytes(made)


def test_a_whole_file_of_too_many_packets_is_not_called_incomplete() -> None:
    bare = _saved(no_jp2=True)
    require_whole(_with_empty_layers(bare, 100))
    many = _with_empty_layers(bare, 30_000)
    with pytest.raises(TooManyPackets):
        require_whole(many)
    with pytest.raises(ImageError, match="too many packets") as caught:
        decoders().decode_still(many, header=parse_header(many))
    assert caught.value.reason is ImageFault.UNSUPPORTED_FORMAT


_OPTIONS = (
    *(f"-M {mode} -r 40,10,3,1" for mode in (1, 4, 5, 8, 32, 63)),
    "-p LRCP -SOP -EPH -t 100,90",
    "-p RPCL -c [64,64],[32,32] -TP R -r 20,5,1",
    "-p PCRL -d 33,17 -T 5,7 -t 120,110 -I",
    "-p CPRL -s 2,2",
    "-p RLCP -d 13,7 -c [64,128],[32,32],[128,64] -n 4 -M 1",
    "-POC T1=0,0,1,5,3,CPRL/T1=5,0,1,6,3,CPRL",
    "-PLT -TLM",
)


@pytest.mark.skipif(
    shutil.which("opj_compress") is None,
    reason="opj_compress is not installed: apt-get install libopenjp2-tools",
)
@pytest.mark.parametrize("options", _OPTIONS)
def test_every_way_of_coding_is_followed(options: str, tmp_path: Path) -> None:
    source, made = tmp_path / "source.png", tmp_path / "made.j2k"
    _picture().save(source)
    subprocess.run(
        ["opj_compress", "-i", source, "-o", made, *options.split()],
        check=True,
        capture_output=True,
        timeout=60,
    )
    data = made.read_bytes()
    require_whole(data)
    passed = []
    for damage, broken in _broken(data):
        with contextlib.suppress(CodeStreamBroken):
            require_whole(broken)
            passed.append(damage)
    # With -M 1, bits are also written raw: up to two kilobytes of zeros may be such bits.
    raw = {"2 kB of zeros", "zeros from 99 % up to the end marker"}
    assert set(passed) <= (raw if int(_mode(options)) & 1 else set())


def _mode(options: str) -> str:
    return options.partition("-M ")[2].partition(" ")[0] or "0"
