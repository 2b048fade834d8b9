"""The contract of a refusal: the documented reasons, their statuses, and no internal text."""

import functools
import re
from pathlib import Path

from facegate.v1 import error_reason_pb2

from tests.server.refusals import Refused

__all__ = ["assert_documented", "documented"]

_REPOSITORY = Path(__file__).resolve().parent.parent.parent
_ROW = re.compile(r"^\| `([A-Z0-9_]+)` \| ([A-Z_]+) \|", re.MULTILINE)
_INTERNAL = re.compile(
    r"Traceback|File \"|line \d+|0x[0-9a-f]{6}|cv2|numpy|PIL|libpng|openjpeg|sqlalchemy|sqlite|"
    r"\.py\b|site-packages|Exception|Errno"
)
_MOST_CHARACTERS = 400


@functools.cache
def documented() -> dict[str, str]:
    """The status of each reason, from docs/errors.md."""
    found = dict(_ROW.findall((_REPOSITORY / "docs" / "errors.md").read_text()))
    known = {
        value.name.removeprefix("ERROR_REASON_") for value in error_reason_pb2.ErrorReason.DESCRIPTOR.values
    }
    assert set(found) == known - {"UNSPECIFIED"}
    return found


def assert_documented(refused: Refused) -> None:
    """Tests a refusal against the contract; INTERNAL always fails."""
    assert refused.reason != "INTERNAL", refused
    assert documented()[refused.reason] == refused.code.name, refused
    text = " ".join([refused.message, *refused.metadata.values()])
    assert not _INTERNAL.search(text), refused
    assert 0 < len(refused.message) < _MOST_CHARACTERS, refused
