"""Values that must not leak, and the search for them in every form in which they could."""

import base64
from collections.abc import Iterator, Mapping
from urllib.parse import quote

_LEAST_BYTES = 8
"""Shorter parts occur by chance."""
_PART_BYTES = 24


class Canaries:
    """Secrets, images and references that were planted, by name."""

    def __init__(self) -> None:
        """Start with none."""
        self._planted: dict[str, bytes] = {}

    @property
    def names(self) -> Mapping[str, bytes]:
        """The planted values, by name."""
        return self._planted

    def plant(self, name: str, value: bytes | str) -> None:
        """Add a value of at least 8 bytes; of a long one, a part from its middle is searched for."""
        content = value.encode() if isinstance(value, str) else value
        assert len(content) >= _LEAST_BYTES, name
        start = max(0, len(content) // 2 - _PART_BYTES // 2)
        self._planted[name] = content[start : start + _PART_BYTES]

    def leaks(self, text: str | bytes) -> list[str]:
        """Return the planted values that a text contains, with the form: none, as it should be."""
        data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
        return [
            f"{name} as {form}"
            for name, value in self._planted.items()
            for form, found in _forms(value)
            if found in data
        ]


def _forms(value: bytes) -> Iterator[tuple[str, bytes]]:
    yield "raw", value
    yield "text", value.decode("latin-1").encode()
    # The quotes of a longer value depend on its content, and so does the escape of a quote.
    in_single_quotes = repr(b'"' + value)[3:-1]
    yield "repr", in_single_quotes.encode()
    if b"'" in value:
        yield "repr in double quotes", in_single_quotes.replace("\\'", "'").encode()
    yield "json", "".join(f"\\u{byte:04x}" for byte in value).encode()
    yield "percent", quote(value).encode()
    yield "hex", value.hex().encode()
    yield "upper hex", value.hex().upper().encode()
    # The same bytes have three encodings, by their place in a longer value.
    for shift in range(3):
        padded = bytes(shift) + value
        whole = padded[: len(padded) // 3 * 3]
        # The first group also holds bits of the preceding bytes.
        skip = 4 if shift else 0
        yield f"base64 at {shift}", base64.b64encode(whole)[skip:]
        yield f"base64url at {shift}", base64.urlsafe_b64encode(whole)[skip:]
