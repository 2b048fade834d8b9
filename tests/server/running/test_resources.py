"""What a server may use: places, file handles, memory, decoders and models."""

import io
import json
import os
import resource
from contextlib import closing
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path

import aiohttp
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from prometheus_client import CollectorRegistry, generate_latest
from pydantic import ValidationError
from structlog.testing import capture_logs

from formats.image_format import ImageFormat
from server.base.errors import ConfigurationError, Refusal
from server.base.process_limits import file_handles, raise_handle_limit, usable_processors
from server.checks.offer import pack_shortfall
from server.configuration.settings import RuntimeSettings, Settings
from server.configuration.tables import AnalysisSettings, LimitSettings, TenantLimits
from server.domain.terms import Mode
from server.edge.places import Places
from server.policies import load_policies
from server.policies.schema import ChallengeRules
from server.running import models
from server.running.capacity import ADMIN_CONNECTIONS, Capacity, share
from server.running.memory import MemoryUse, MemoryWatch, is_short, read_memory
from server.running.models import announce_pack, calibration_identity, load_configured_pack, require_servable
from server.running.workers import decoder_bytes, make_decoders, make_video_decoders, start_decoders
from server.telemetry.metrics import Metrics
from tests.server.live import serving, settings_for
from tests.server.models_once import remembering_pack
from tests.server.policy_files import write_policy
from tests.server.raw_device import RawDevice
from vision.errors import PackNotFound
from vision.face import BgrImage, DetectedFace, Landmarks
from vision.image import DecodeLimits, decode_image
from vision.isolation.pool import DecoderPool
from vision.onnx_sessions import RuntimeOptions
from vision.packs import Pack, ScorePoint

# Servers have the places of their settings.


def _capacity(*, several: bool = True, **limits: object) -> Capacity:
    settings = LimitSettings.model_validate(limits)
    return Capacity(
        settings,
        AnalysisSettings(),
        scans=settings.max_scans or 32,
        several=lambda: several,
        metrics=Metrics(CollectorRegistry()),
    )


async def _most(places: Places, party: str, *, left: int = 200) -> int:
    """The number of places that a party gets, one after another."""
    if not left:
        return 0
    try:
        async with places.hold_place(party):
            return 1 + await _most(places, party, left=left - 1)
    except Refusal:
        return 0


@pytest.mark.parametrize("several", [True, False])
async def test_several_parties_leave_a_share_of_long_held_places_free(
    several: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.running.capacity.WAIT_SECONDS", 0.0)
    capacity = _capacity(several=several)
    assert await _most(capacity.scans, "a") == (24 if several else 32)
    assert await _most(capacity.watches, "a") == (96 if several else 128)
    assert await _most(capacity.videos, "a") == (1 if several else 2)
    assert await _most(capacity.uploads, "a") == 4
    assert await _most(capacity.calls, "a") == 64
    assert await _most(capacity.selfies, "a") == 4


@pytest.mark.parametrize(
    ("kind", "most"),
    [("scans", 9), ("watches", 37), ("videos", 1), ("uploads", 1), ("calls", 18), ("selfies", 1)],
)
async def test_a_tenants_share_is_for_its_real_callers_and_as_much_for_its_sandbox(
    kind: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.running.capacity.WAIT_SECONDS", 0.0)
    capacity = _capacity(several=False, tenants={"bank": {"share": 0.29}})
    places: Places = getattr(capacity, kind)
    assert await _most(places, "bank") == most
    assert await _most(places, "sandbox:bank") == most
    assert await _most(places, "other") > most


def test_a_share_of_places_is_exact() -> None:
    assert TenantLimits(share=0.29).places_of(100) == 29
    assert TenantLimits(share=1.0).places_of(4) == 4
    assert TenantLimits(share=0.001).places_of(4) == 1


@pytest.mark.parametrize("share", [0.0, 1.01, -0.5])
def test_a_share_is_a_part_of_the_server(share: float) -> None:
    with pytest.raises(ValidationError, match="share"):
        TenantLimits(share=share)


# The division of file handles.


@given(handles=st.integers(580, 2**20))
def test_the_listeners_together_leave_a_reserve(handles: int) -> None:
    shared = share(LimitSettings(), scans=32, handles=handles)
    assert shared.device >= 64
    assert shared.service >= 192
    assert shared.device + shared.service + ADMIN_CONNECTIONS + 256 <= handles


def test_too_few_handles_are_refused_with_the_number() -> None:
    with pytest.raises(ConfigurationError, match="need 580"):
        share(LimitSettings(), scans=32, handles=579)
    with pytest.raises(ConfigurationError, match="need 20516"):
        share(LimitSettings(), scans=10_000, handles=1024)


def test_any_number_of_handles_is_bounded_all_the_same() -> None:
    assert share(LimitSettings(), scans=32, handles=resource.RLIM_INFINITY) == share(
        LimitSettings(), scans=32, handles=2**20
    )


def test_the_limit_is_raised_as_far_as_it_goes() -> None:
    limit = raise_handle_limit()
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == limit == file_handles().limit


def test_open_handles_are_a_metric(tmp_path: Path) -> None:
    before = file_handles().used
    held = [os.open(tmp_path, os.O_RDONLY) for _ in range(100)]
    # Threads of other tests may close some of theirs.
    assert file_handles().used >= before + 50
    for handle in held:
        os.close(handle)
    body = Metrics(CollectorRegistry()).render()[0].decode()
    assert f"facegate_file_handles_limit {float(file_handles().limit)}" in body
    assert "facegate_log_lines_suppressed_total" in body


# The processors that a server may use, and the scans that it serves by default.


@pytest.mark.parametrize(
    ("groups", "files", "processors"),
    [
        ("0::/\n", {}, 4.0),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "300000 100000\n"}, 3.0),
        ("3:cpu:/x\n", {"cpu/x/cpu.cfs_quota_us": "200000\n", "cpu/x/cpu.cfs_period_us": "100000\n"}, 2.0),
        ("3:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4.0),
    ],
)
def test_processors_are_those_of_affinity_and_quota(
    groups: str, files: dict[str, str], processors: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2, 3})
    _files(tmp_path, proc__self__cgroup=groups)
    for name, text in files.items():
        file = tmp_path / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    assert usable_processors(root=tmp_path) == processors


@pytest.mark.parametrize(
    ("given", "workers", "scans"),
    [
        ({}, 3, 12),
        ({"runtime": {"workers": 2}}, 2, 8),
        ({"limits": {"max_scans": 50}}, 3, 50),
    ],
)
def test_scans_at_once_follow_the_processors_unless_they_are_set(
    given: dict[str, object], workers: int, scans: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.configuration.settings.usable_processors", lambda: 3.7)
    settings = Settings.model_validate({"data_dir": tmp_path, **given})
    assert (settings.workers, settings.max_scans) == (workers, scans)


# When memory counts as short, where it is read, and what a server does then.

_MIB = 1024 * 1024


@given(st.integers(0, 200), st.booleans(), st.floats(0, 100))
def test_memory_is_short_above_the_high_mark_until_it_is_below_the_low_one(
    used: int, was_short: bool, calm: float
) -> None:
    short = is_short(MemoryUse(used, 100), was_short=was_short, calm_seconds=calm)
    if used >= 85:
        assert short
    elif used < 70 or calm >= 30:
        assert not short
    else:
        assert short is was_short


def _files(root: Path, **contents: str) -> None:
    for path, text in contents.items():
        file = root / path.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def _group(folder: Path, limit: str, used: int, stat: str, *, names: tuple[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(stat)


_V2 = ("memory.max", "memory.current")
_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes")


def test_the_limit_of_a_container_counts_without_its_cached_files(tmp_path: Path) -> None:
    _files(tmp_path, proc__self__cgroup="0::/\n")
    _group(tmp_path / "sys/fs/cgroup", "1000", 900, "anon 300\ninactive_file 500\n", names=_V2)
    assert read_memory(None, root=tmp_path) == MemoryUse(400, 1000)


def test_the_group_nearest_to_its_limit_counts(tmp_path: Path) -> None:
    _files(tmp_path, proc__self__cgroup="0::/system.slice/facegate.service\n")
    mount = tmp_path / "sys/fs/cgroup"
    _group(mount / "system.slice/facegate.service", "max", 100, "inactive_file 0\n", names=_V2)
    _group(mount / "system.slice", "1000", 900, "inactive_file 0\n", names=_V2)
    _group(mount, "100000", 1000, "inactive_file 0\n", names=_V2)
    assert read_memory(None, root=tmp_path) == MemoryUse(900, 1000)


def test_version_1_is_read_where_the_container_sees_it(tmp_path: Path) -> None:
    _files(tmp_path, proc__self__cgroup="5:cpu,cpuacct:/docker/1\n4:memory:/docker/1\n0::/\n")
    _group(tmp_path / "sys/fs/cgroup/memory", "1000", 700, "total_inactive_file 100\n", names=_V1)
    assert read_memory(None, root=tmp_path) == MemoryUse(600, 1000)


@pytest.mark.parametrize("limit", ["max", str(2**63 - 4096), "0", "?"])
def test_a_group_without_a_limit_limits_nothing(tmp_path: Path, limit: str) -> None:
    # A system that shows nothing, and then one that shows no limit.
    assert read_memory(None, root=tmp_path) is read_memory(1000, root=tmp_path) is None
    _files(tmp_path, proc__self__cgroup="0::/\n4:memory:/\n")
    for names, folder in ((_V2, "sys/fs/cgroup"), (_V1, "sys/fs/cgroup/memory")):
        _group(tmp_path / folder, limit, 700, "", names=names)
    assert read_memory(None, root=tmp_path) is None


def test_a_limit_of_the_settings_is_compared_with_this_process() -> None:
    use = read_memory(1 << 40)
    assert use is not None
    assert use.limit == 1 << 40
    assert 10 * _MIB < use.used < 1 << 40


async def test_the_watch_reports_each_change_once() -> None:
    used = [50, 86, 80, 71, 69, 80]
    told: list[bool] = []
    watch = MemoryWatch(lambda: MemoryUse(used.pop(0), 100), told.append, trim=lambda: None)
    for _ in range(6):
        await watch.look()
    assert told == [True, False]
    assert await watch.is_enough()


async def test_memory_that_grew_is_given_back() -> None:
    trimmed: list[None] = []
    watch = MemoryWatch(lambda: None, lambda _: None, trim=lambda: trimmed.append(None))
    await watch.look()
    assert not trimmed
    held = b"\1" * (96 * _MIB)
    await watch.look()
    assert len(trimmed) == 1
    await watch.look()
    assert len(trimmed) == 1
    assert len(held) == 96 * _MIB


async def test_a_server_short_of_memory_refuses_scans_and_is_not_ready(tmp_path: Path) -> None:
    # No server is that small: it is short from its first look.
    async with serving(settings_for(tmp_path, limits={"memory_mib": 256})) as live:
        address = f"http://127.0.0.1:{live.server.admin_port}"
        async with aiohttp.ClientSession(address) as session:
            while True:
                async with session.get("/readyz") as response:
                    parts = json.loads(await response.read())["parts"]
                    if not parts["memory"]:
                        break
            assert response.status == 503
            async with session.get("/metrics") as metrics:
                assert "facegate_memory_short 1.0" in await metrics.text()
        upload = await live.upload()
        refusal = await RawDevice(live.device, upload).refusal()
        assert refusal.reason == "OVERLOADED"
        assert refusal.retry_seconds


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
        closing(make_decoders(counted, workers=1)) as decoders,
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
        closing(make_decoders(counted, workers=1)) as decoders,
        pytest.raises(ConfigurationError, match="isolated image decoder does not start"),
    ):
        start_decoders(decoders)


@pytest.mark.parametrize(("pixels", "expected"), [(25_000_000, 1 << 30), (80_000_000, 2_400_000_000)])
def test_a_decoder_may_hold_the_largest_portrait_of_the_policies(
    pixels: int, expected: int, tmp_path: Path
) -> None:
    write_policy(tmp_path, "large", tables=f"[portrait]\nmax_pixels = {pixels}\n")
    assert decoder_bytes(load_policies(tmp_path)) == expected


def test_videos_have_workers_of_their_own() -> None:
    counted, _ = metrics()
    decoders = make_video_decoders(AnalysisSettings(video_workers=1), counted)
    assert decoders is not None
    with closing(decoders), capture_logs() as logs:
        start_decoders(decoders)
        assert [entry["kind"] for entry in logs] == ["video"]


POLICIES = load_policies(None)


@pytest.mark.parametrize(
    ("evaluation_only", "event", "level"),
    [(True, "pack_for_evaluation_only", "warning"), (False, "pack_terms", "info")],
)
def test_the_terms_of_the_pack_are_reported(evaluation_only: bool, event: str, level: str) -> None:
    pack = replace(remembering_pack(), evaluation_only=evaluation_only)
    with capture_logs() as logs:
        announce_pack(pack, allow_evaluation_pack=True)
    entry, _ = logs
    assert (entry["event"], entry["log_level"]) == (event, level)
    assert entry.get("express") == ("allowed by allow_evaluation_pack" if evaluation_only else None)
    for terms in pack.terms:
        (line,) = [line for line in entry["terms"] if line.startswith(f"{terms.part}: ")]
        assert terms.weights in line
        assert terms.training_data in line


def test_a_default_policy_that_the_pack_cannot_meet_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="default policy high"):
        require_servable(POLICIES, remembering_pack(), default="high", allow_evaluation_pack=True)
    with pytest.raises(ConfigurationError, match=r"policies\.default"):
        require_servable(POLICIES, remembering_pack(), default="none", allow_evaluation_pack=True)


def test_other_policies_that_it_cannot_meet_are_reported() -> None:
    with capture_logs() as logs:
        require_servable(POLICIES, remembering_pack(), default="evaluation", allow_evaluation_pack=True)
    assert {log["event"] for log in logs} == {"policy_not_available"}
    unavailable = {log["policy"]: log["shortfall"] for log in logs}
    assert unavailable.keys() == set(POLICIES.names) - {"evaluation"}
    assert all(why.endswith("the policy evaluation.") for why in unavailable.values())


def decisive(pack: Pack) -> Pack:
    """The pack with a calibration that supports every shipped policy."""
    points = (ScorePoint(0.5, 0.1), ScorePoint(0.9, 1e-6))
    return replace(pack, match_calibration=replace(pack.match_calibration, points=points))


def test_a_pack_for_evaluation_serves_express_policies_only_if_the_settings_allow_it() -> None:
    pack = remembering_pack()
    with pytest.raises(ConfigurationError, match=r"policy evaluation cannot .* allow_evaluation_pack"):
        require_servable(POLICIES, pack, default="evaluation", allow_evaluation_pack=False)
    with capture_logs() as logs:
        require_servable(POLICIES, decisive(pack), default="dynamic", allow_evaluation_pack=False)
    unavailable = {log["policy"]: log["shortfall"] for log in logs}
    express = {name for name in POLICIES.names if POLICIES.get(name).policy.mode is Mode.EXPRESS}
    # "adaptive" begins with the flash, but EXPRESS suffices for it.
    assert {"adaptive", "evaluation", "low", "no-flash", "standard"} <= express
    assert {name for name, why in unavailable.items() if "for evaluation only" in why} == express
    # A check that is raised to DYNAMIC does not rest on the models alone.
    policy = POLICIES.get("evaluation").policy
    assert pack_shortfall(policy, pack, allow_evaluation_pack=False, requested=Mode.DYNAMIC) is None
    with capture_logs() as logs:
        announce_pack(pack, allow_evaluation_pack=False)
    assert logs[0]["express"] == "refused"


def test_a_pack_for_decisions_needs_no_allowance() -> None:
    pack = replace(remembering_pack(), evaluation_only=False)
    require_servable(POLICIES, pack, default="evaluation", allow_evaluation_pack=False)


def test_a_hard_requirement_that_the_pack_cannot_assess_is_refused(tmp_path: Path) -> None:
    (tmp_path / "frontal.toml").write_text(
        'name = "frontal"\nversion = 1\ndescription = "d"\nmode = "EXPRESS"\n'
        '[match]\nmax_fmr = 0.03\n[portrait]\nprofile = "iso_full_frontal"\n'
    )
    with pytest.raises(
        ConfigurationError, match=r"makes requirements hard that cannot be assessed: eyes_open"
    ):
        require_servable(
            load_policies(tmp_path), remembering_pack(), default="frontal", allow_evaluation_pack=True
        )


def test_a_policy_that_takes_a_blink_needs_eyes_to_be_seen(tmp_path: Path) -> None:
    (tmp_path / "blinking.toml").write_text(
        'name = "blinking"\nversion = 1\ndescription = "d"\nmode = "DYNAMIC"\n'
        "[match]\nmax_fmr = 0.03\n[challenge]\nblink = true\n"
    )
    with pytest.raises(ConfigurationError, match=r"no dense landmarks"):
        require_servable(
            load_policies(tmp_path),
            replace(remembering_pack(), landmarker=None),
            default="blinking",
            allow_evaluation_pack=True,
        )


class _LandmarkerOf:
    """Finds no landmarks, of one scheme."""

    def __init__(self, scheme: str) -> None:
        self.scheme = scheme

    def locate(self, _image: BgrImage, _face: DetectedFace) -> Landmarks | None:
        return None


@pytest.mark.parametrize("scheme", ["ibug68", "insightface106", None])
def test_a_policy_that_asks_for_an_open_mouth_needs_landmarks_that_measure_it(scheme: str | None) -> None:
    pack = remembering_pack()
    own = POLICIES.get("evaluation").policy
    asking = own.model_copy(update={"challenge": ChallengeRules(open_mouth=True)})
    measures = replace(pack, landmarker=_LandmarkerOf("mediapipe478"))
    blind = replace(pack, landmarker=None if scheme is None else _LandmarkerOf(scheme))
    for mode in Mode:
        assert pack_shortfall(asking, measures, allow_evaluation_pack=True, requested=mode) is None
        assert pack_shortfall(asking, blind, allow_evaluation_pack=True, requested=mode) is not None
    assert pack_shortfall(own, blind, allow_evaluation_pack=True) is None


def test_a_pack_that_sees_no_eyes_serves_a_policy_whose_mode_is_not_raised() -> None:
    blind = replace(remembering_pack(), landmarker=None)
    policy = POLICIES.get("evaluation").policy
    require_servable(POLICIES, blind, default="evaluation", allow_evaluation_pack=True)
    assert pack_shortfall(policy, blind, allow_evaluation_pack=True) is None
    assert "no dense landmarks" in (
        pack_shortfall(policy, blind, allow_evaluation_pack=True, requested=Mode.DYNAMIC) or ""
    )


def test_the_configured_pack_comes_from_the_models_folder(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, pack="open", models_dir=tmp_path / "models")
    with pytest.raises(PackNotFound, match=r"not in .*models: fetch it with `facegate models pull open`"):
        load_configured_pack(settings)


def test_models_run_as_the_settings_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[RuntimeOptions] = []

    def load(_spec: str, *, runtime: RuntimeOptions, **_: object) -> Pack:
        asked.append(runtime)
        return remembering_pack()

    monkeypatch.setattr(models, "load_pack", load)
    wanted = RuntimeSettings(providers="cuda")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    load_configured_pack(settings_for(tmp_path, runtime=wanted))
    load_configured_pack(settings_for(tmp_path))
    assert asked[0] == RuntimeOptions(providers="cuda")
    defaults = replace(asked[1], providers="auto")
    assert defaults == RuntimeOptions()


@pytest.mark.parametrize(
    ("available", "on_gpu", "warned"),
    [("CUDAExecutionProvider", False, True), ("CUDAExecutionProvider", True, False), ("Azure", False, False)],
)
def test_a_gpu_that_could_not_be_used_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, available: str, on_gpu: bool, warned: bool
) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [available])
    monkeypatch.setattr(models, "load_pack", lambda _spec, **_: replace(remembering_pack(), on_gpu=on_gpu))
    with capture_logs() as logs:
        load_configured_pack(settings_for(tmp_path, runtime=RuntimeSettings(providers="auto")))
    found = [(log["event"], log["log_level"]) for log in logs]
    assert found == ([("gpu_not_used", "warning")] if warned else [])


PUBLISHED = """schema = 1
embedder_sha256 = "{sha256}"
point = [{{ cosine = 0.9, fmr_upper_bound = 0.1 }}, {{ cosine = 0.95, fmr_upper_bound = {bound} }}]
[record]
provenance = "published"
dataset = "passport photos"
identities = 0
genuine_pairs = 0
impostor_pairs = 0
reference = "A report, table 3"
"""


class PadNetwork:
    name = "net"

    def real_probability(self, image: BgrImage, face: DetectedFace) -> float:
        return 1.0


def published(folder: Path, *, bound: float) -> Path:
    """A calibration file for the embedded pack's embedder."""
    file = folder / "published.toml"
    embedder = next(file for file in remembering_pack().files if file.role == "embedder")
    file.write_text(PUBLISHED.format(sha256=embedder.sha256, bound=bound))
    return file


def test_the_calibration_of_the_operator_replaces_the_packaged_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "load_pack", lambda spec, **_: remembering_pack())
    settings = settings_for(tmp_path, calibration=published(tmp_path, bound=1e-5))
    pack = load_configured_pack(settings)
    assert pack.match_calibration.lowest_bound == 1e-5
    identity = calibration_identity(pack)
    assert identity.provenance == "published"
    assert identity.sha256 == sha256((tmp_path / "published.toml").read_bytes()).digest()
    with capture_logs() as logs:
        announce_pack(pack, allow_evaluation_pack=True)
    entry = logs[-1]
    assert (entry["event"], entry["origin"], entry["provenance"]) == (
        "match_calibration",
        "operator",
        "published",
    )
    assert (entry["reference"], entry["lowest_fmr_bound"]) == ("A report, table 3", 1e-5)
    without = calibration_identity(load_configured_pack(settings_for(tmp_path)))
    assert (without.provenance, len(without.sha256)) == ("measured", 32)


def test_an_unusable_calibration_is_reported_before_models_are_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "load_pack", lambda spec, **_: pytest.fail("models were loaded"))
    with pytest.raises(PackNotFound, match=r"none\.toml cannot be read"):
        load_configured_pack(settings_for(tmp_path, calibration=tmp_path / "none.toml"))


@pytest.mark.parametrize(("bound", "enough"), [(1e-5, True), (2e-5, False)])
def test_figures_that_reach_far_enough_lift_a_policy_s_demand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: float, enough: bool
) -> None:
    with_network = replace(remembering_pack(), pad_networks=(PadNetwork(),))
    monkeypatch.setattr(models, "load_pack", lambda spec, **_: with_network)
    pack = load_configured_pack(settings_for(tmp_path, calibration=published(tmp_path, bound=bound)))
    if enough:
        require_servable(POLICIES, pack, default="high", allow_evaluation_pack=True)
        return
    with pytest.raises(ConfigurationError, match=r"at most 1e-05, but the calibration .* below 2e-05"):
        require_servable(POLICIES, pack, default="high", allow_evaluation_pack=True)
