"""Tests whether a JPEG 2000 code stream is whole, in the worker.

OpenJPEG decodes what there is: a missing tile becomes black, and zeros in the place of lost data read as
empty packets, which blur the picture. So every tile has to be there, and the packets of each tile have to use
up its bytes exactly; their headers are read for that, their code-blocks are not decoded.

Source: ISO/IEC 15444-1 (ITU-T T.800), annexes A (markers), B.6 to B.12 (precincts, packets and their order)
and I.4 (boxes).
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

_SOC, _SIZ, _COD, _COC, _POC, _CAP, _PPM, _PPT = (
    0xFF4F,
    0xFF51,
    0xFF52,
    0xFF53,
    0xFF5F,
    0xFF50,
    0xFF60,
    0xFF61,
)
_SOT, _SOD, _EOC = 0xFF90, 0xFF93, 0xFFD9
_ALONE: Final = range(0xFF30, 0xFF40)
_NOT_FOLLOWED: Final = frozenset({_CAP, _PPM, _PPT})
"""Segments after which only tiles are tested: with another coder, or with headers of packets elsewhere."""
_BYPASS, _TERMINATE_EACH = 0x01, 0x04
_OWN_PRECINCTS, _MAY_HAVE_SOP, _HAS_EPH = 0x01, 0x02, 0x04
_MOST_BOXES: Final = 256
_MOST_PARTS: Final = 70_000
_MOST_PACKETS: Final = 400_000
"""The most packets and the most code-blocks of a tile; a portrait has some thousands."""
_MOST_BITS: Final = 80
_MOST_PADDING: Final = 16
"""Zeros with which a writer may fill a tile up."""
_ZERO_RUN: Final = bytes(48)
"""The arithmetic coder does not write so many zeros in a row."""
_LONG_ZERO_RUN: Final = bytes(2048)
"""The same where bits are also written raw, up to 1 kB of them a code-block and bit plane."""


class CodeStreamBroken(Exception):
    """Image data are missing, or are not where the code stream says."""


class TooManyPackets(Exception):
    """The code stream has more packets, code-blocks or parts of tiles than are followed; it may be whole."""


class _Coding(NamedTuple):
    """How one component is coded: COD or COC."""

    levels: int
    block_width: int
    block_height: int
    style: int
    precincts: tuple[tuple[int, int], ...]
    """Exponents of width and height, from the lowest resolution on."""


class _Change(NamedTuple):
    """A part of the packets that has an order of its own: an entry of POC."""

    first_resolution: int
    first_component: int
    end_layer: int
    end_resolution: int
    end_component: int
    order: int


@dataclass(slots=True)
class _Plan:
    """What the main header, or that of a tile, says about the packets."""

    order: int = 0
    layers: int = 0
    flags: int = 0
    default: _Coding | None = None
    own: dict[int, _Coding] = field(default_factory=dict)
    changes: tuple[_Change, ...] = ()
    followed: bool = True

    def read(self, marker: int, body: bytes, components: int) -> None:
        wide = 2 if components > 256 else 1
        try:
            if marker == _COD:
                self.flags, self.order, self.layers = body[0], body[1], int.from_bytes(body[2:4], "big")
                self.default = _coding(body[5:], bool(self.flags & _OWN_PRECINCTS))
            elif marker == _COC:
                component = int.from_bytes(body[:wide], "big")
                self.own[component] = _coding(body[wide + 1 :], bool(body[wide] & _OWN_PRECINCTS))
            elif marker == _POC:
                layout = struct.Struct(">BBHBBB" if components <= 256 else ">BHHBHB")
                self.changes += tuple(map(_Change._make, layout.iter_unpack(body)))
            elif marker in _NOT_FOLLOWED:
                self.followed = False
        except (IndexError, struct.error):
            raise CodeStreamBroken("a coding style is cut off") from None


def _coding(body: bytes, own_precincts: bool) -> _Coding:
    levels, width, height, style = body[0], body[1] + 2, body[2] + 2, body[3]
    if levels > 32 or width > 10 or height > 10 or width + height > 12:
        raise CodeStreamBroken("a coding style is impossible")
    sizes = [
        (body[5 + at] & 15, body[5 + at] >> 4) if own_precincts else (15, 15) for at in range(levels + 1)
    ]
    return _Coding(levels, width, height, style, tuple(sizes))


class _Component(NamedTuple):
    across: int
    down: int


class _Size(NamedTuple):
    right: int
    bottom: int
    left: int
    top: int
    tile_width: int
    tile_height: int
    tile_left: int
    tile_top: int
    components: tuple[_Component, ...] = ()

    @property
    def tiles_across(self) -> int:
        return -(-(self.right - self.tile_left) // self.tile_width)

    @property
    def tiles(self) -> int:
        return self.tiles_across * -(-(self.bottom - self.tile_top) // self.tile_height)

    def tile(self, number: int) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of a tile on the reference grid."""
        row, column = divmod(number, self.tiles_across)
        left, top = self.tile_left + column * self.tile_width, self.tile_top + row * self.tile_height
        return (
            max(left, self.left),
            max(top, self.top),
            min(left + self.tile_width, self.right),
            min(top + self.tile_height, self.bottom),
        )


@dataclass(slots=True)
class _Tile:
    plan: _Plan
    parts: int = 0
    expected_parts: int = 0
    packets: list[bytes] = field(default_factory=list)


def require_whole(data: bytes) -> None:
    """Test the code stream of a file.

    Args:
        data: A JP2 file or a bare code stream.

    Raises:
        CodeStreamBroken: A tile or a part of one is missing, or packets end before or behind its bytes.
        TooManyPackets: A tile has more than 400 000 packets or code-blocks, or the image more than 70 000
            parts of tiles.
    """
    start, end = _code_stream(data)
    size, plan, position = _main_header(data, start, end)
    tiles = _tile_parts(data, position, end, size, plan)
    if len(tiles) != size.tiles:
        raise CodeStreamBroken(f"{size.tiles - len(tiles)} of {size.tiles} tiles are missing")
    for number, tile in tiles.items():
        # Some writers count one part too few.
        if tile.parts < tile.expected_parts:
            raise CodeStreamBroken("a part of a tile is missing")
        if tile.plan.followed:
            _follow_packets(b"".join(tile.packets), size, size.tile(number), tile.plan)


def _code_stream(data: bytes) -> tuple[int, int]:
    """Return where the code stream begins, and where it ends at the latest."""
    if data[:2] == _SOC.to_bytes(2, "big"):
        return 0, len(data)
    position = 0
    for _ in range(_MOST_BOXES):
        if position + 8 > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, position)
        body = position + 8
        if length == 1:
            length = int.from_bytes(data[body : body + 8], "big")
            body += 8
        end = len(data) if length == 0 else position + length
        if kind == b"jp2c":
            # Many writers state a wrong length here; decoders read up to the end of the code stream.
            return body, len(data)
        if end < body:
            break
        position = end
    raise CodeStreamBroken("no code stream was found")


def _segment(data: bytes, position: int, end: int) -> tuple[int, bytes, int]:
    """Return marker, content and end of a marker segment."""
    if position + 4 > end:
        raise CodeStreamBroken("the image data are cut off")
    marker, length = struct.unpack_from(">HH", data, position)
    if marker in _ALONE:
        return marker, b"", position + 2
    after = position + 2 + length
    if marker < 0xFF00 or length < 2 or after > end:
        raise CodeStreamBroken("a segment was expected in the image data")
    return marker, data[position + 4 : after], after


def _main_header(data: bytes, start: int, end: int) -> tuple[_Size, _Plan, int]:
    size: _Size | None = None
    plan, position = _Plan(), start + 2
    while data[position : position + 2] != _SOT.to_bytes(2, "big"):
        marker, body, position = _segment(data, position, end)
        if marker == _SIZ:
            components = body[36:]
            parts = tuple(_Component(*components[at + 1 : at + 3]) for at in range(0, len(components) - 2, 3))
            if not parts:
                raise CodeStreamBroken("the main header is not whole")
            size = _Size(*struct.unpack_from(">8I", body, 2))._replace(components=parts)
            if not (size.tile_width and size.tile_height and all(across and down for across, down in parts)):
                raise CodeStreamBroken("the main header is not whole")
        elif size is not None:
            plan.read(marker, body, len(size.components))
    if size is None or plan.default is None or not plan.layers:
        raise CodeStreamBroken("the main header is not whole")
    return size, plan, position


def _tile_parts(data: bytes, position: int, end: int, size: _Size, plan: _Plan) -> dict[int, _Tile]:
    tiles: dict[int, _Tile] = {}
    for _ in range(_MOST_PARTS):
        mark = data[position : position + 2]
        if mark == _EOC.to_bytes(2, "big") or position == end:
            # Some writers leave out the end marker; then nothing else may follow.
            return tiles
        if mark != _SOT.to_bytes(2, "big") or position + 12 > end:
            raise CodeStreamBroken("image data are missing: no tile begins where the one before ends")
        number, length, _, parts = struct.unpack_from(">HIBB", data, position + 4)
        after = position + length if length else _last_end(data, end)
        if after > end:
            raise CodeStreamBroken("the image data are cut off")
        if number >= size.tiles:
            raise CodeStreamBroken("there is no such tile")
        tile = tiles.setdefault(number, _Tile(replace(plan, own=dict(plan.own))))
        tile.parts += 1
        tile.expected_parts = max(tile.expected_parts, parts)
        at = position + 12
        while data[at : at + 2] != _SOD.to_bytes(2, "big"):
            marker, body, at = _segment(data, at, after)
            if marker == _COD:
                # It outranks those of single components in the main header (A.6.1).
                tile.plan.own.clear()
            elif marker == _POC and tile.parts == 1:
                tile.plan.changes = ()
            tile.plan.read(marker, body, len(size.components))
        tile.packets.append(data[at + 2 : after])
        position = after
    raise TooManyPackets("there are more parts of tiles than are followed")


def _last_end(data: bytes, end: int) -> int:
    """Return the end of a tile-part that states no length: it is the last one."""
    found = data.rfind(_EOC.to_bytes(2, "big"), 0, end)
    return end if found < 0 else found


class _Bits:
    """Bits of packet headers, in which a bit 0 is stuffed behind each byte 0xFF (B.10.1)."""

    __slots__ = ("_buffer", "_data", "_left", "position")

    def __init__(self, data: bytes, position: int) -> None:
        self._data, self.position = data, position
        self._buffer, self._left = 0, 0

    def bit(self) -> int:
        if not self._left:
            stuffed = self._buffer == 0xFF
            if self.position >= len(self._data):
                raise CodeStreamBroken("the image data are cut off")
            self._buffer = self._data[self.position]
            self.position += 1
            self._left = 7 if stuffed else 8
        self._left -= 1
        return self._buffer >> self._left & 1

    def number(self, count: int) -> int:
        value = 0
        for _ in range(count):
            value = value << 1 | self.bit()
        return value

    def align(self) -> int:
        """End the header and return the offset behind it."""
        if self._buffer == 0xFF:
            self.position += 1
        return self.position


class _TagTree:
    """A tag tree (B.10.2): numbers of a grid, of which each bit in the stream tells more."""

    __slots__ = ("_known", "_low", "_sizes")

    def __init__(self, width: int, height: int) -> None:
        sizes = [(width, height)]
        while sizes[-1] != (1, 1):
            sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
        self._sizes = sizes
        self._low = [[0] * (w * h) for w, h in sizes]
        self._known = [[False] * (w * h) for w, h in sizes]

    def below(self, column: int, row: int, threshold: int, bit: Callable[[], int]) -> bool:
        """Whether the number at a place is less than the threshold; reads the bits that this needs."""
        low = 0
        for level in range(len(self._sizes) - 1, -1, -1):
            at = (row >> level) * self._sizes[level][0] + (column >> level)
            lows, known = self._low[level], self._known[level]
            low = max(low, lows[at])
            while low < threshold and not known[at]:
                if bit():
                    known[at] = True
                else:
                    low += 1
            lows[at] = low
        return self._known[0][row * self._sizes[0][0] + column] and low < threshold


@dataclass(slots=True, eq=False)
class _Block:
    """A code-block's state from packet to packet."""

    column: int
    row: int
    passes: int = 0
    length_bits: int = 0


class _Band(NamedTuple):
    """The code-blocks of one sub-band in one precinct."""

    blocks: tuple[_Block, ...]
    inclusion: _TagTree
    zero_planes: _TagTree


class _Precinct(NamedTuple):
    key: tuple[int, ...]
    bands: tuple[_Band, ...]
    style: int


def _follow_packets(data: bytes, size: _Size, tile: tuple[int, int, int, int], plan: _Plan) -> None:
    packets = _packets(size, tile, plan)
    position = 0
    for layer, precinct in packets:
        if plan.flags & _MAY_HAVE_SOP and data[position : position + 4] == b"\xff\x91\x00\x04":
            position += 6
        bits = _Bits(data, position)
        length = _packet_header(bits, layer, precinct)
        position = bits.align()
        if plan.flags & _HAS_EPH and data[position : position + 2] == b"\xff\x92":
            position += 2
        end = position + length
        if end > len(data):
            raise CodeStreamBroken("the image data are cut off")
        zeros = _LONG_ZERO_RUN if precinct.style & _BYPASS else _ZERO_RUN
        if data.find(zeros, position, end) >= 0:
            raise CodeStreamBroken("zeros stand in the place of image data")
        position = end
    rest = data[position:]
    if len(rest) > _MOST_PADDING or rest.strip(b"\x00"):
        raise CodeStreamBroken("image data are damaged: bytes are left over")


def _packets(size: _Size, tile: tuple[int, int, int, int], plan: _Plan) -> list[tuple[int, _Precinct]]:
    """Return the packets of a tile in their order: layer and precinct."""
    precincts: list[_Precinct] = []
    blocks = 0
    for number, component in enumerate(size.components):
        coding = plan.own.get(number, plan.default)
        if coding is None:
            raise CodeStreamBroken("a coding style is missing")
        for precinct in _precincts(number, component, coding, tile):
            precincts.append(precinct)
            blocks += sum(len(band.blocks) for band in precinct.bands)
            if max(blocks, len(precincts) * plan.layers) > _MOST_PACKETS:
                raise TooManyPackets("there are more packets than are followed")
    # Each change of the order takes what is left of its part, from the layer that came last on.
    layers_sent = [0] * len(precincts)
    packets: list[tuple[int, _Precinct]] = []
    for change in plan.changes or (_Change(0, 0, plan.layers, 33, len(size.components), plan.order),):
        part = []
        for number, precinct in enumerate(precincts):
            of_component, resolution = precinct.key[:2]
            if (
                change.first_resolution <= resolution < change.end_resolution
                # An end of 0 means 256.
                and change.first_component <= of_component < (change.end_component or 256)
            ):
                end = min(change.end_layer, plan.layers)
                part += [
                    (_order(change.order, layer, precinct.key), layer, number)
                    for layer in range(layers_sent[number], end)
                ]
                layers_sent[number] = max(end, layers_sent[number])
        part.sort()
        packets += [(layer, precincts[number]) for _, layer, number in part]
    return packets


def _order(order: int, layer: int, key: tuple[int, ...]) -> tuple[int, ...]:
    """Return what packets are sorted by, for a progression order (B.12.1)."""
    component, resolution, y, x, precinct = key
    match order:
        case 0:
            return layer, resolution, component, precinct
        case 1:
            return resolution, layer, component, precinct
        case 2:
            return resolution, y, x, component, precinct, layer
        case 3:
            return y, x, component, resolution, precinct, layer
        case 4:
            return component, y, x, resolution, precinct, layer
    raise CodeStreamBroken("the order of the packets is unknown")


def _precincts(
    number: int, component: _Component, coding: _Coding, tile: tuple[int, int, int, int]
) -> Iterator[_Precinct]:
    across, down = component
    left, top = -(-tile[0] // across), -(-tile[1] // down)
    right, bottom = -(-tile[2] // across), -(-tile[3] // down)
    for resolution in range(coding.levels + 1):
        depth = coding.levels - resolution
        scale = 1 << depth
        x0, y0, x1, y1 = (-(-side // scale) for side in (left, top, right, bottom))
        if x0 >= x1 or y0 >= y1:
            continue
        wide, high = coding.precincts[resolution]
        if resolution and not (wide and high):
            raise CodeStreamBroken("a precinct is impossible")
        columns = range(x0 >> wide, ((x1 - 1) >> wide) + 1)
        rows = range(y0 >> high, ((y1 - 1) >> high) + 1)
        if len(columns) * len(rows) > _MOST_PACKETS:
            raise TooManyPackets("there are more packets than are followed")
        for index, (row, column) in enumerate((row, column) for row in rows for column in columns):
            x, y = column << wide, row << high
            key = (
                number,
                resolution,
                max(tile[1], y * scale * down) if y >= y0 else tile[1],
                max(tile[0], x * scale * across) if x >= x0 else tile[0],
                index,
            )
            yield _Precinct(
                key,
                tuple(_bands((left, top, right, bottom), resolution, coding, (column, row))),
                coding.style,
            )


def _bands(
    component: tuple[int, int, int, int], resolution: int, coding: _Coding, precinct: tuple[int, int]
) -> Iterator[_Band]:
    """Yield the sub-bands of a precinct: LL, or HL, LH and HH."""
    high_pass = 1 if resolution else 0
    depth = coding.levels - resolution + high_pass
    wide, high = (exponent - high_pass for exponent in coding.precincts[resolution])
    width, height = min(coding.block_width, wide), min(coding.block_height, high)
    for kind in (1, 2, 3) if resolution else (0,):
        offset_x, offset_y = (kind & 1, kind >> 1)
        half = 1 << depth - 1 if depth else 0
        x0, x1 = (-((offset_x * half - side) >> depth) for side in component[::2])
        y0, y1 = (-((offset_y * half - side) >> depth) for side in component[1::2])
        x0, x1 = max(x0, precinct[0] << wide), min(x1, (precinct[0] + 1) << wide)
        y0, y1 = max(y0, precinct[1] << high), min(y1, (precinct[1] + 1) << high)
        if x0 >= x1 or y0 >= y1:
            continue
        columns = ((x1 - 1) >> width) - (x0 >> width) + 1
        rows = ((y1 - 1) >> height) - (y0 >> height) + 1
        if columns * rows > _MOST_PACKETS:
            raise TooManyPackets("there are more code-blocks than are followed")
        blocks = tuple(_Block(column, row) for row in range(rows) for column in range(columns))
        yield _Band(blocks, _TagTree(columns, rows), _TagTree(columns, rows))


def _packet_header(bits: _Bits, layer: int, precinct: _Precinct) -> int:
    """Read a packet's header and return the length of its body, bytes (B.10)."""
    bit = bits.bit
    if not bit():
        return 0
    length = 0
    for band in precinct.bands:
        for block in band.blocks:
            if block.length_bits:
                if not bit():
                    continue
            elif band.inclusion.below(block.column, block.row, layer + 1, bit):
                planes = 1
                while not band.zero_planes.below(block.column, block.row, planes, bit):
                    planes += 1
                    if planes > _MOST_BITS:
                        raise CodeStreamBroken("image data are damaged: no code-block is so deep")
                block.length_bits = 3
            else:
                continue
            passes = _passes(bits)
            while bit():
                block.length_bits += 1
                if block.length_bits > _MOST_BITS:
                    raise CodeStreamBroken("image data are damaged: no code-block is so long")
            for count in _segments(block.passes, passes, precinct.style):
                length += bits.number(block.length_bits + count.bit_length() - 1)
            block.passes += passes
    return length


def _passes(bits: _Bits) -> int:
    """Read a number of coding passes (table B.4)."""
    if not bits.bit():
        return 1
    if not bits.bit():
        return 2
    value = bits.number(2)
    if value < 3:
        return 3 + value
    value = bits.number(5)
    if value < 31:
        return 6 + value
    return 37 + bits.number(7)


def _segments(done: int, passes: int, style: int) -> list[int]:
    """Return how many passes each codeword segment has; each has a length of its own (table D.9)."""
    if style & _TERMINATE_EACH:
        return [1] * passes
    if not style & _BYPASS:
        return [passes]
    counts = []
    while passes:
        # The first ten passes are one segment; then two raw passes and one coded pass take turns.
        left = 10 - done if done < 10 else (2, 1, 1)[(done - 10) % 3]
        counts.append(min(left, passes))
        done, passes = done + counts[-1], passes - counts[-1]
    return counts
