"""Parses the setting ``trusted_images.source``: a folder, or a prefix of an S3 bucket.

``{tenant}`` as a whole segment stands for the tenant of the caller.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

__all__ = ["TENANT", "BucketSource", "FolderSource", "parse_source", "tenant_segment"]

TENANT: Final = "{tenant}"
"""The placeholder for the tenant of the caller."""

_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):/")
_TENANT_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""The names that the file of API keys allows; the common name of a client certificate may be any text."""
_EXPECTED: Final = "expected a folder, file:///folder or s3://bucket/prefix"


@dataclass(frozen=True, slots=True)
class FolderSource:
    """A folder.

    Attributes:
        folder: The part of the path before the first ``{tenant}``. It belongs to the operator and may contain
            links.
        below: The segments from the first ``{tenant}`` on; empty if there is none.
    """

    folder: Path
    below: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BucketSource:
    """A prefix in an S3 bucket.

    Attributes:
        bucket: The bucket's name.
        below: The segments of the prefix, which may include ``{tenant}``.
    """

    bucket: str
    below: tuple[str, ...] = ()


def parse_source(text: str) -> FolderSource | BucketSource:
    """Parses a source.

    Args:
        text: The path of a folder, ``file:///folder``, or ``s3://bucket/prefix``.

    Raises:
        ValueError: The text is none of these. The message states the expected form and never repeats the
            text, because a URL may contain a password.
    """
    scheme = _SCHEME.match(text)
    if scheme is None:
        return _folder(text)
    parts = urlsplit(text)
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError(
            f"{_EXPECTED}, without credentials, query or fragment; credentials belong in "
            "trusted_images.s3.credentials_file or the environment"
        )
    match parts.scheme:
        case "file":
            if parts.netloc not in {"", "localhost"}:
                raise ValueError(f"{_EXPECTED}; a file:// URL has three slashes")
            return _folder(unquote(parts.path))
        case "s3":
            return _bucket(parts.netloc, parts.path)
        case other:
            raise ValueError(f"{_EXPECTED}; {other}:// is not one of these")


def tenant_segment(tenant: str) -> str | None:
    """Returns the name of the tenant if it can be one segment of a path; otherwise ``None``."""
    return tenant if _TENANT_NAME.fullmatch(tenant) else None


def _folder(text: str) -> FolderSource:
    if not text.strip() or "\0" in text:
        raise ValueError(_EXPECTED)
    path = Path(text)
    parts = path.parts
    _validate_placeholders(parts)
    if TENANT not in parts:
        return FolderSource(path)
    first = parts.index(TENANT)
    below = parts[first:]
    if ".." in below:
        raise ValueError(f"`..` after {TENANT} would lead out of the tenant's folder; leave it out")
    return FolderSource(Path(*parts[:first]), below)


def _bucket(bucket: str, path: str) -> BucketSource:
    if not _BUCKET.fullmatch(bucket):
        raise ValueError(f"{_EXPECTED}; this is not a valid name of an S3 bucket")
    prefix = path.strip("/")
    below = tuple(prefix.split("/")) if prefix else ()
    if any(segment in {"", ".", ".."} or "%" in segment or "\\" in segment for segment in below):
        raise ValueError("the prefix has an empty segment, `.`, `..`, `%` or a backslash; leave it out")
    _validate_placeholders(below)
    return BucketSource(bucket, below)


def _validate_placeholders(segments: tuple[str, ...]) -> None:
    for segment in segments:
        if TENANT in segment and segment != TENANT:
            raise ValueError(f"{TENANT} stands for a whole segment, such as /srv/portraits/{TENANT}/current")
        if segment.casefold() == TENANT and segment != TENANT:
            raise ValueError(f"write {TENANT} in lower case")
