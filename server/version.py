"""The version of the distribution, which results and reports name."""

import importlib.metadata

__all__ = ["server_version"]


def server_version() -> str:
    """The installed version of the distribution."""
    return importlib.metadata.version("facegate")
