"""Fixtures of the commands on models."""

import pytest


@pytest.fixture(autouse=True)
def no_models_dir(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names no models folder."""
    monkeypatch.delenv("FACEGATE_MODELS_DIR", raising=False)
