from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import onnxruntime
import pytest
from facegate.v1 import result_pb2
from structlog.testing import capture_logs

from server.base.errors import ConfigurationError
from server.checks.offer import pack_shortfall
from server.configuration.settings import RuntimeSettings
from server.domain.terms import Mode
from server.policies import load_policies
from server.policies.schema import ChallengeRules
from server.running import models
from server.running.models import announce_pack, calibration_identity, load_configured_pack, require_servable
from tests.server.live import serving, settings_for
from tests.server.models_once import remembering_pack
from tests.server.raw_device import RawDevice
from vision.errors import PackNotFound
from vision.face import BgrImage, DetectedFace, Landmarks
from vision.onnx_sessions import RuntimeOptions
from vision.packs import Pack, ScorePoint
from vision.packs.pack import read_operator_calibration, with_calibration

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
    wanted = RuntimeSettings(
        intra_op_threads=2,
        providers="cuda",
        cuda_memory_mib=512,
        max_batch=8,
    )
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    load_configured_pack(settings_for(tmp_path, runtime=wanted))
    load_configured_pack(settings_for(tmp_path))
    assert asked[0] == RuntimeOptions(
        intra_op_threads=2,
        providers="cuda",
        cuda_memory_mib=512,
        max_batch=8,
    )
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


@pytest.mark.slow
async def test_the_result_names_the_origin_of_its_calibration(tmp_path: Path) -> None:
    calibration = read_operator_calibration(published(tmp_path, bound=1e-3))
    async with serving(
        settings_for(tmp_path), pack=with_calibration(remembering_pack(), calibration)
    ) as live:
        upload = await live.upload()
        stream = await RawDevice(live.device, upload).open()
        await stream.begin()
        await stream.send(stream.end(frame_count=1))
        assert await stream.outcome() is not None
        found = (await live.finish(upload.check_id)).result.pack.calibration
    assert found.provenance == result_pb2.CalibrationReference.PROVENANCE_PUBLISHED
    assert found.sha256 == bytes.fromhex(calibration.sha256)
    assert found.lowest_fmr_bound == 1e-3
