"""The division of file handles."""

import os
import resource
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from server.base.errors import ConfigurationError
from server.base.file_handles import file_handles, raise_limit
from server.configuration.settings import LimitSettings
from server.running.capacity import ADMIN_CONNECTIONS, share
from server.telemetry.metrics import Metrics


@given(handles=st.integers(580, 2**20))
def test_the_listeners_together_leave_a_reserve(handles: int) -> None:
    shared = share(LimitSettings(), handles=handles)
    assert shared.device >= 64
    assert shared.service >= 192
    assert shared.device + shared.service + ADMIN_CONNECTIONS + 256 <= handles


def test_too_few_handles_are_refused_with_the_number() -> None:
    with pytest.raises(ConfigurationError, match="need 580"):
        share(LimitSettings(), handles=579)
    with pytest.raises(ConfigurationError, match="need 20516"):
        share(LimitSettings(max_scans=10_000), handles=1024)


def test_any_number_of_handles_is_bounded_all_the_same() -> None:
    assert share(LimitSettings(), handles=resource.RLIM_INFINITY) == share(LimitSettings(), handles=2**20)


def test_the_limit_is_raised_as_far_as_it_goes() -> None:
    limit = raise_limit()
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == limit == file_handles().limit


def test_open_handles_are_a_metric(tmp_path: Path) -> None:
    before = file_handles().used
    held = [os.open(tmp_path, os.O_RDONLY) for _ in range(10)]
    assert file_handles().used >= before + 10
    for handle in held:
        os.close(handle)
    body = Metrics(CollectorRegistry()).render()[0].decode()
    assert f"facegate_file_handles_limit {float(file_handles().limit)}" in body
    assert "facegate_log_lines_suppressed_total" in body
