"""Reads TOML that people write, with the editors of any system."""

import codecs
import tomllib
from typing import Any, Final

from formats.errors import TomlMalformed

_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_toml(content: bytes) -> dict[str, Any]:
    """Return the table of a TOML file in UTF-8, with or without a byte order mark.

    Raises:
        TomlMalformed: It is not TOML, or not UTF-8. The message may repeat a part of the file.
    """
    if content.startswith(_UTF_16):
        raise TomlMalformed("it is UTF-16, as PowerShell writes with >; save it as UTF-8")
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise TomlMalformed(f"not UTF-8 at byte {error.start}") from error
    # A number of thousands of digits raises a ValueError that is not a TOMLDecodeError.
    except (ValueError, RecursionError) as error:
        raise TomlMalformed(f"not TOML: {error}") from error
