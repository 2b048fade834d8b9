"""Validates the options of ``facegate analyze`` that belong together."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

__all__ = ["AnalysisDepth", "ServerOptions"]

DEFAULT_PACK: Final = "embedded"
DEFAULT_POLICY: Final = "standard"


class AnalysisDepth(StrEnum):
    """How much is done for a picture."""

    BASIC = "basic"
    FULL = "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How to reach a server.

    Attributes:
        target: ``host:port`` of its service listener.
        api_key_file: File with the API key; None for none.
        ca: PEM of the authorities to trust; None for the system's, or plaintext on loopback.
        cert: PEM of the caller's certificate; None for none.
        key: PEM of its private key; None for none.
    """

    target: str
    api_key_file: Path | None
    ca: Path | None
    cert: Path | None
    key: Path | None
