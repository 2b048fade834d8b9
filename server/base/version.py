"""The version of the distribution, which results and reports state."""

import importlib.metadata


def server_version() -> str:
    """Return the installed version of the distribution."""
    return importlib.metadata.version("facegate")
