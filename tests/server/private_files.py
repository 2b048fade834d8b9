"""Files with secrets."""

from pathlib import Path


def private(path: Path, content: str | bytes) -> Path:
    """Write a file that only its owner may read."""
    path.touch(0o600)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
