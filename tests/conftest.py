"""Fixtures that every room's tests may use."""

import os
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder with real model weights and test data (FACEGATE_TEST_ASSETS); skips where it is absent."""
    folder = Path(os.environ.get("FACEGATE_TEST_ASSETS", _REPOSITORY.parent / "shared"))
    if not (folder / "models").is_dir():
        pytest.skip(f"no test assets: {folder} has no models folder (set FACEGATE_TEST_ASSETS)")
    return folder
