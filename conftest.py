"""Fixtures for the tests of every package."""

import functools
import gc
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from cli.main import loopback_spared
from tests.logs import log_plainly

_REPOSITORY = Path(__file__).resolve().parent
_RESEARCH = (
    "lab/tests/bench",
    "lab/tests/evaluate",
    "lab/tests/evaluation",
    "lab/tests/studies",
    "tests/whole_checks",
)
"""Folders whose tests are about measuring the product."""


# grpc.aio's server, freed before it was stopped, logs a reference to itself at debug level; pytest keeps
# the record, and the interpreter crashes when the record goes. No test may turn these lines on.
logging.getLogger("grpc").setLevel(logging.INFO)

log_plainly()

# What the tests say to this machine is for no proxy of whoever runs them.
os.environ.update(loopback_spared(os.environ))

# A deadline measures the machine: an example that takes a millisecond takes 200 on two busy cores. The
# examples of a test are the same in every run; `pytest --hypothesis-profile explore` looks at more of them,
# and at others.
settings.register_profile(
    "facegate",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("explore", settings.get_profile("facegate"), derandomize=False, max_examples=100)
settings.load_profile("facegate")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not import the research folders if the markers deselect all their tests."""
    if "not research" in config.option.markexpr and collection_path.is_dir() and _measures(collection_path):
        return True
    return None


@pytest.hookimpl(tryfirst=True)  # before markers select
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of the research folders."""
    for item in items:
        if _measures(item.path):
            item.add_marker(pytest.mark.research)


def pytest_configure() -> None:
    """Collecting tests imports everything, which stays: no garbage is searched for until it is done."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Keep the modules and tests, half a million objects that stay, out of every garbage collection."""
    gc.collect()
    gc.freeze()
    gc.enable()


@functools.cache
def _measures(path: Path) -> bool:
    return any(path.is_relative_to(_REPOSITORY / folder) for folder in _RESEARCH)


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder with real model weights and test data (FACEGATE_TEST_ASSETS); skips if it is absent."""
    folder = Path(os.environ.get("FACEGATE_TEST_ASSETS", _REPOSITORY.parent / "shared"))
    if not (folder / "models").is_dir():
        pytest.skip(f"no test assets: {folder} has no models folder (set FACEGATE_TEST_ASSETS)")
    return folder


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls that fail are repeated as often as in use, but sooner."""
    monkeypatch.setattr("facegate_client.orchestrator._WAITS_S", (0.05,) * 3)


@pytest.fixture
def without_collection() -> Iterator[None]:
    """For input nested to the limit of recursion: no garbage of other tests is collected at that depth.

    A finaliser written in Python could not be called there, and pytest reports that as a failure.
    """
    gc.disable()
    yield
    gc.enable()
