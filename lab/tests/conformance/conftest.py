"""Fixtures for the conformance tests."""

from dataclasses import replace

import pytest

from lab.conformance import command, opening, scan, strict_stream


@pytest.fixture(autouse=True)
def patient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Client and server share a machine that may be busy; only tests that run alone keep to the seconds."""
    if request.node.get_closest_marker("alone"):
        return
    monkeypatch.setattr(command, "_WAIT_FOR_COMMAND_SECONDS", 300.0)
    monkeypatch.setattr(opening, "_START_SECONDS", 60.0)
    monkeypatch.setattr(opening, "_BUDGET", replace(opening._BUDGET, min_frames_per_second=0.1))
    monkeypatch.setattr(scan, "_LATE_SECONDS", 60.0)
    monkeypatch.setattr(strict_stream, "_WAIT_SECONDS", 60.0)
