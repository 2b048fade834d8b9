import io
from contextlib import closing
from functools import partial

import pytest
from PIL import Image
from prometheus_client import CollectorRegistry, generate_latest
from structlog.testing import capture_logs

from formats.image_format import ImageFormat
from server.base.errors import ConfigurationError
from server.configuration.settings import IsolationSettings
from server.configuration.tables import AnalysisSettings
from server.running.workers import make_decoders, make_video_decoders, start_decoders
from server.telemetry.metrics import Metrics
from vision.image import DecodeLimits, decode_image
from vision.isolation.pool import DecoderPool


def metrics() -> tuple[Metrics, CollectorRegistry]:
    registry = CollectorRegistry()
    return Metrics(registry), registry


def jp2() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (32, 24), (10, 200, 30)).save(file, format="JPEG2000")
    return file.getvalue()


def test_workers_start_are_reported_and_counted() -> None:
    counted, registry = metrics()
    with (
        closing(make_decoders(IsolationSettings(workers=1), counted)) as decoders,
        capture_logs() as logs,
    ):
        start_decoders(decoders)
        (entry,) = logs
        assert entry["event"] == "decoders_isolated"
        assert entry["processes"] == 1
        decode_image(
            jp2(),
            limits=DecodeLimits(max_bytes=1_000_000, max_pixels=1_000_000, max_side=2_000),
            formats=frozenset({ImageFormat.JP2}),
            honour_exif_orientation=True,
            still_decoder=decoders,
        )
    assert b'facegate_isolated_decodes_total{outcome="decoded"} 1.0' in generate_latest(registry)


def test_workers_that_cannot_start_keep_the_server_from_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = partial(DecoderPool, command=lambda kind, **_: ("/bin/false",))
    monkeypatch.setattr("server.running.workers.DecoderPool", broken)
    counted, _ = metrics()
    with (
        closing(make_decoders(IsolationSettings(workers=1), counted)) as decoders,
        pytest.raises(ConfigurationError, match="isolated image decoder does not start"),
    ):
        start_decoders(decoders)


def test_a_server_may_go_without_decoding_videos() -> None:
    counted, _ = metrics()
    assert make_video_decoders(AnalysisSettings(video_workers=0), counted) is None


def test_videos_have_workers_of_their_own() -> None:
    counted, _ = metrics()
    decoders = make_video_decoders(AnalysisSettings(video_workers=1), counted)
    assert decoders is not None
    with closing(decoders), capture_logs() as logs:
        start_decoders(decoders)
        assert [entry["kind"] for entry in logs] == ["video"]
