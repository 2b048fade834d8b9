"""The smallest baseline JPEGs: 8 x 8 pixels of one grey, three channels, without an encoder."""

_SOI, _EOI = b"\xff\xd8", b"\xff\xd9"


def tiny_jpeg(shade: int) -> bytes:
    """A JPEG of 8 x 8 pixels. ``shade`` is 64..127; other shades need more bits than its one code has."""
    # Codes: DC has 0 as "0" and category 7 as "10"; AC has the end of the block as "0".
    luma = f"10{shade:07b}0"
    bits = luma + "00" * 2
    bits += "1" * (-len(bits) % 8)
    scan = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)).replace(b"\xff", b"\xff\x00")
    return b"".join(
        (
            _SOI,
            _segment(0xDB, b"\x00" + b"\x08" * 64),
            _segment(0xC0, bytes.fromhex("0800080008 03 011100 021100 031100")),
            _segment(0xC4, b"\x00" + bytes([1, 1]) + bytes(14) + bytes([0, 7])),
            _segment(0xC4, b"\x10" + bytes([1]) + bytes(15) + bytes([0])),
            _segment(0xDA, bytes.fromhex("03 0100 0200 0300 003f00")),
            scan,
            _EOI,
        )
    )


def _segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content
