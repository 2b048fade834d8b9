"""JPEG 2000: its colours through a confined worker, and files that lost something on the way."""

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
from numpy.typing import NDArray
from PIL import Image, ImageCms

from formats.errors import ImageFault
from formats.image_format import ImageFormat
from formats.image_header import parse_header
from tests.vision.decoders import decoders
from vision.errors import ImageError
from vision.face import BgrImage
from vision.image import DecodeLimits, decode_image
from vision.isolation.code_stream import CodeStreamBroken, TooManyPackets, require_whole

_OPJ = shutil.which("opj_decompress")
_SRGB, _GREY, _SYCC, _CMYK, _LAB = 16, 17, 18, 12, 14
_COLOUR, _OPACITY, _PREMULTIPLIED, _UNSPECIFIED = 0, 1, 2, 65_535


def _decode(data: bytes) -> BgrImage:
    return decode_image(
        data,
        limits=DecodeLimits(max_bytes=10_000_000, max_pixels=4_000_000, max_side=4_000),
        formats=frozenset(ImageFormat),
        honour_exif_orientation=False,
        still_decoder=decoders(),
    ).pixels


def _scene(width: int = 90, height: int = 61) -> NDArray[np.uint8]:
    """Smooth colours without any symmetry, RGB."""
    y, x = np.mgrid[0:height, 0:width]
    return np.dstack([x * 2, y * 3, 255 - x - y]).astype(np.uint8)


RGB = _scene()
GREY = RGB[..., 0]
YCC = np.asarray(Image.fromarray(RGB).convert("YCbCr"))
COVER = np.full(GREY.shape, 255, np.uint8)
COVER[:30] = 0


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _colr(colour: int | bytes) -> bytes:
    if isinstance(colour, bytes):
        return _box(b"colr", b"\x02\x00\x00" + colour)
    return _box(b"colr", b"\x01\x00\x00" + struct.pack(">I", colour))


def _cdef(*channels: tuple[int, int, int]) -> bytes:
    """Channel definitions: channel, kind and association (0 whole image, 1.. colour)."""
    body = b"".join(struct.pack(">HHH", *channel) for channel in channels)
    return _box(b"cdef", struct.pack(">H", len(channels)) + body)


def _palette(entries: NDArray[np.uint8]) -> bytes:
    """A palette of one or several columns for component 0."""
    count, columns = entries.shape
    pclr = struct.pack(">HB", count, columns) + b"\x07" * columns + entries.tobytes()
    cmap = b"".join(struct.pack(">HBB", 0, 1, column) for column in range(columns))
    return _box(b"pclr", pclr) + _box(b"cmap", cmap)


def _jp2(planes: NDArray[np.uint8], *boxes: bytes) -> bytes:
    """A JP2 file without loss of the channels in their order, shape (height, width) or with channels last."""
    mode = {2: "L", 3: {2: "LA", 3: "RGB", 4: "RGBA"}.get(planes.shape[-1], "")}[planes.ndim]
    made = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(planes), mode).save(
        made, "JPEG2000", no_jp2=True, irreversible=False, mct=0
    )
    height, width = planes.shape[:2]
    count = 1 if planes.ndim == 2 else planes.shape[2]
    ihdr = _box(b"ihdr", struct.pack(">IIHBBBB", height, width, count, 7, 7, 0, 0))
    return (
        _box(b"jP  ", b"\r\n\x87\n")
        + _box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
        + _box(b"jp2h", ihdr + b"".join(boxes))
        + _box(b"jp2c", made.getvalue())
    )


def _over_white(colours: NDArray[np.uint8], cover: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.where(cover[..., None] == 255, colours, 255).astype(np.uint8)


def _grey(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.dstack([plane] * 3)


_SHADES = np.arange(256, dtype=np.uint8)
_NEGATIVE = 255 - _SHADES
_RGB_PALETTE = np.dstack([_SHADES, _NEGATIVE, _SHADES // 2])[0]

FILES = {
    "sRGB": (_jp2(RGB, _colr(_SRGB)), RGB),
    "grey": (_jp2(GREY, _colr(_GREY)), _grey(GREY)),
    "one component declared sRGB": (_jp2(GREY, _colr(_SRGB)), _grey(GREY)),
    "three components declared grey": (_jp2(RGB, _colr(_GREY)), RGB),
    "components BGR": (_jp2(RGB[..., ::-1], _colr(_SRGB), _cdef((0, 0, 3), (1, 0, 2), (2, 0, 1))), RGB),
    "components GBR": (_jp2(RGB[..., [1, 2, 0]], _colr(_SRGB), _cdef((0, 0, 2), (1, 0, 3), (2, 0, 1))), RGB),
    "sYCC": (_jp2(YCC, _colr(_SYCC)), RGB),
    "reversed sYCC": (_jp2(YCC[..., ::-1], _colr(_SYCC), _cdef((0, 0, 3), (1, 0, 2), (2, 0, 1))), RGB),
    "opacity last": (
        _jp2(np.dstack([RGB, COVER]), _colr(_SRGB), _cdef((0, 0, 1), (1, 0, 2), (2, 0, 3), (3, _OPACITY, 0))),
        _over_white(RGB, COVER),
    ),
    "opacity first": (
        _jp2(np.dstack([COVER, RGB]), _colr(_SRGB), _cdef((0, _OPACITY, 0), (1, 0, 1), (2, 0, 2), (3, 0, 3))),
        _over_white(RGB, COVER),
    ),
    "opacity first of grey": (
        _jp2(np.dstack([COVER, GREY]), _colr(_GREY), _cdef((0, _OPACITY, 0), (1, 0, 1))),
        _over_white(_grey(GREY), COVER),
    ),
    "premultiplied opacity": (
        _jp2(
            np.dstack([np.where(COVER[..., None], RGB, 0), COVER]),
            _colr(_SRGB),
            _cdef((0, 0, 1), (1, 0, 2), (2, 0, 3), (3, _PREMULTIPLIED, 0)),
        ),
        _over_white(RGB, COVER),
    ),
    "a fourth channel that means nothing": (
        _jp2(
            np.dstack([RGB, COVER]),
            _colr(_SRGB),
            _cdef((0, 0, 1), (1, 0, 2), (2, 0, 3), (3, _UNSPECIFIED, 65_535)),
        ),
        RGB,
    ),
    "palette": (_jp2(GREY, _palette(_RGB_PALETTE), _colr(_SRGB)), _RGB_PALETTE[GREY]),
    "palette declared grey": (_jp2(GREY, _palette(_RGB_PALETTE), _colr(_GREY)), _RGB_PALETTE[GREY]),
    "palette of grey": (_jp2(GREY, _palette(_NEGATIVE[:, None]), _colr(_GREY)), _grey(255 - GREY)),
    "palette BGR": (
        _jp2(GREY, _palette(_RGB_PALETTE[:, ::-1]), _colr(_SRGB), _cdef((0, 0, 3), (1, 0, 2), (2, 0, 1))),
        _RGB_PALETTE[GREY],
    ),
    "CMYK": (
        _jp2(np.dstack([255 - RGB, np.zeros_like(GREY)]), _colr(_CMYK)),
        RGB,
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_channels_are_shown_as_they_are_defined(name: str) -> None:
    data, expected = FILES[name]
    # YCC was rounded when it was made.
    assert np.abs(_decode(data)[..., ::-1].astype(int) - expected).max() <= 3


def test_deep_white_stays_white() -> None:
    deep = np.zeros((40, 50, 3), np.uint16)
    deep[:20] = 65_535
    done, data = cv2.imencode(".jp2", deep)
    assert done
    shown = _decode(data.tobytes())
    assert (shown[:20] == 255).all()
    assert (shown[20:] == 0).all()


def _wide_profile() -> bytes:
    """sRGB's profile with its red and green swapped, which no viewer could miss."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"#XYZ").replace(b"gXYZ", b"rXYZ").replace(b"#XYZ", b"gXYZ")


def test_a_profile_is_honoured() -> None:
    flat = np.zeros((40, 50, 3), np.uint8)
    flat[...] = (200, 40, 40)
    as_declared, by_profile = _decode(_jp2(flat, _colr(_SRGB))), _decode(_jp2(flat, _colr(_wide_profile())))
    assert as_declared[0, 0].tolist() == [40, 40, 200]
    assert np.abs(by_profile[0, 0].astype(int) - [40, 200, 40]).max() <= 2


def test_a_broken_profile_is_passed_over() -> None:
    assert np.array_equal(_decode(_jp2(RGB, _colr(bytes(200))))[..., ::-1], RGB)


@pytest.mark.parametrize(
    "data",
    [
        _jp2(RGB, _colr(_LAB)),
        _jp2(RGB, _colr(_SRGB), _cdef((0, 0, 1), (1, 0, 2), (2, _OPACITY, 0))),
    ],
)
def test_other_channels_are_refused_by_name(data: bytes) -> None:
    with pytest.raises(ImageError) as caught:
        _decode(data)
    assert caught.value.reason is ImageFault.UNSUPPORTED_FORMAT


def test_a_palette_counts_as_its_channels() -> None:
    assert parse_header(FILES["palette"][0]).channels == 3
    assert parse_header(FILES["palette of grey"][0]).channels == 1


def _reference(path: Path, folder: Path) -> NDArray[np.uint8] | None:
    """What ``opj_decompress`` makes of a file, RGB of 8 bits; ``None`` if it refuses it."""
    made = folder / "made.png"
    made.unlink(missing_ok=True)
    assert _OPJ is not None
    run = subprocess.run([_OPJ, "-i", str(path), "-o", str(made)], capture_output=True, timeout=60)
    if run.returncode:
        return None
    read = cv2.imread(str(made), cv2.IMREAD_UNCHANGED)
    assert read is not None
    if read.dtype == np.uint16:
        read = (read.astype(np.uint16) >> 8).astype(np.uint8)
    if read.ndim == 2:
        read = _grey(read.astype(np.uint8))
    return read[..., 2::-1].astype(np.uint8)


@pytest.mark.slow
@pytest.mark.skipif(_OPJ is None, reason="opj_decompress is not installed: apt-get install libopenjp2-tools")
def test_conformance_files_look_as_opj_decompress_shows_them(assets: Path, tmp_path: Path) -> None:
    compared = 0
    for path in sorted((assets / "data" / "iso").glob("uclouvain__input__conformance__*")):
        expected, shown = _reference(path, tmp_path), _decode(path.read_bytes())[..., ::-1]
        assert expected is not None
        if expected.shape[1] * 2 - shown.shape[1] in {0, 1}:
            # It leaves the columns of a component that has only every second one as they are.
            shown = shown[:, ::2]
        assert np.abs(shown.astype(int) - expected).max() <= 3, path.name
        compared += 1
    assert compared >= 13


@pytest.mark.skipif(_OPJ is None, reason="opj_decompress is not installed: apt-get install libopenjp2-tools")
@pytest.mark.parametrize("name", [name for name in FILES if "opacity" not in name and name != "CMYK"])
def test_defined_channels_look_as_opj_decompress_shows_them(name: str, tmp_path: Path) -> None:
    path = tmp_path / "file.jp2"
    path.write_bytes(FILES[name][0])
    expected = _reference(path, tmp_path)
    assert expected is not None
    assert np.abs(_decode(FILES[name][0])[..., ::-1].astype(int) - expected).max() <= 2


@pytest.mark.parametrize("name", ["k6_components_bgr_with_cdef", "k6_one_component_declared_srgb"])
def test_reported_files_show_what_viewers_show(assets: Path, name: str) -> None:
    reported = assets / "data" / "reported"
    shown = _decode((reported / f"{name}.jp2").read_bytes())[..., ::-1]
    expected = Image.open(reported / "expected.png").convert("L" if "one_component" in name else "RGB")
    assert np.abs(shown.astype(int) - np.asarray(expected.convert("RGB"))).mean() <= 3


def _noise() -> Image.Image:
    noise = np.random.default_rng(3).integers(0, 256, (250, 310, 3), np.uint8)
    return Image.fromarray(cv2.GaussianBlur(noise, (5, 5), 0).astype(np.uint8))


def _saved(mode: str = "RGB", *, picture: Image.Image | None = None, **options: object) -> bytes:
    made = io.BytesIO()
    (picture or _noise()).convert(mode).save(made, "JPEG2000", **options)
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
    _noise().save(source)
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
