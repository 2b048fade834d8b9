import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.attack_type import attack_facts, tell_attack_type
from liveness.fusion_model import AttackFact
from liveness.fusion_model_file import load_fusion_model
from liveness.signal import assessed
from liveness.verdict import AttackType

_TYPES = load_fusion_model().attack_types
_NAMES = (
    "planar_motion",
    "micro_motion",
    "blink",
    "stillness",
    "surroundings",
    "eyes_open",
    "halftone",
    "moire",
    "screen_flicker",
    "embedding_jitter",
    "pose_consistency",
)


def _tell(
    scores: dict[str, float], *, network_odds: float | None = None, duration: float = 4.0
) -> tuple[AttackType, float]:
    signals = {
        name: assessed(name=name, label=name, score=score, detail="") for name, score in scores.items()
    }
    facts = attack_facts(signals, network_odds=network_odds, duration=duration)
    return tell_attack_type(
        signals, facts=facts, types=_TYPES, neutral={"moire": 1.5, "halftone": 1.5}, certainty=0.9
    )


@pytest.mark.parametrize(
    ("scores", "network_odds", "duration", "kind"),
    [
        ({"planar_motion": 0.05, "micro_motion": 0.1}, None, 3.0, AttackType.PRINT),
        ({"micro_motion": 0.05, "stillness": 0.02}, -1.0, 3.0, AttackType.PRINT),
        ({"planar_motion": 0.9, "micro_motion": 0.8}, -2.0, 3.0, AttackType.SCREEN_REPLAY),
        ({"planar_motion": 0.1, "moire": 0.02, "screen_flicker": 0.1}, -2.0, 3.0, AttackType.SCREEN_REPLAY),
        ({"halftone": 0.05}, -2.0, 0.0, AttackType.PRINT),
        (
            {"planar_motion": 0.2, "blink": 0.95, "micro_motion": 0.9, "halftone": 0.1},
            -2.0,
            4.0,
            AttackType.PAPER_MASK,
        ),
        (
            {"planar_motion": 0.9, "micro_motion": 0.1, "eyes_open": 1.0},
            -2.0,
            10.0,
            AttackType.MASK_3D,
        ),
        ({"planar_motion": 0.9, "embedding_jitter": 0.05}, 1.0, 4.0, AttackType.DEEPFAKE),
        ({}, -2.0, 0.0, AttackType.UNKNOWN),
    ],
)
def test_the_type_follows_from_what_was_seen(
    scores: dict[str, float], network_odds: float | None, duration: float, kind: AttackType
) -> None:
    found, confidence = _tell(scores, network_odds=network_odds, duration=duration)
    assert found is kind
    assert confidence == 0 if kind is AttackType.UNKNOWN else 0 < confidence <= 90 * _TYPES[kind].highest


def test_cues_that_found_nothing_tell_no_type_from_another() -> None:
    flat = {"planar_motion": 0.05, "micro_motion": 0.1}
    assert _tell(flat) == _tell(flat | {"moire": 0.86, "halftone": 0.85, "screen_flicker": 0.5})


def test_a_mask_is_not_named_after_a_short_scan_or_without_sight_of_the_eyes() -> None:
    rigid = {"planar_motion": 0.9, "micro_motion": 0.1, "eyes_open": 1.0}
    assert _tell(rigid, network_odds=-2.0, duration=3.0)[0] is not AttackType.MASK_3D
    del rigid["eyes_open"]
    assert _tell(rigid, network_odds=-2.0, duration=20.0)[0] is not AttackType.MASK_3D


def test_facts_that_contradict_what_moves_do_not_hold() -> None:
    def facts(**scores: float) -> frozenset[AttackFact]:
        signals = {
            name: assessed(name=name, label=name, score=score, detail="") for name, score in scores.items()
        }
        return attack_facts(signals, network_odds=None, duration=3.0)

    assert AttackFact.FLAT in facts(surroundings=0.1)
    assert AttackFact.FLAT not in facts(surroundings=0.1, planar_motion=0.9)
    assert AttackFact.MOTIONLESS not in facts(stillness=0.1, blink=0.95)


@given(
    st.dictionaries(st.sampled_from(_NAMES), st.floats(0, 1)),
    st.none() | st.floats(-4, 4),
    st.floats(0, 30),
)
def test_a_type_is_never_surer_than_the_attack_nor_than_its_type_allows(
    scores: dict[str, float], network_odds: float | None, duration: float
) -> None:
    kind, confidence = _tell(scores, network_odds=network_odds, duration=duration)
    assert 0 <= confidence <= 90 * _TYPES[kind].highest
