"""Fixtures that every room's tests may use."""

import gc
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).resolve().parent.parent


# grpc.aio's server, freed before it was stopped, logs a reference to itself at debug level; pytest keeps
# the record, and the interpreter crashes when the record goes. No test may turn these lines on.
logging.getLogger("grpc").setLevel(logging.INFO)


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder with real model weights and test data (FACEGATE_TEST_ASSETS); skips where it is absent."""
    folder = Path(os.environ.get("FACEGATE_TEST_ASSETS", _REPOSITORY.parent / "shared"))
    if not (folder / "models").is_dir():
        pytest.skip(f"no test assets: {folder} has no models folder (set FACEGATE_TEST_ASSETS)")
    return folder


@pytest.fixture
def without_collection() -> Iterator[None]:
    """For input that is nested to the limit of recursion: no garbage of other tests is collected down there.

    Whatever is written in Python to tidy it up could not even be called, and pytest calls that a failure.
    """
    gc.disable()
    yield
    gc.enable()
