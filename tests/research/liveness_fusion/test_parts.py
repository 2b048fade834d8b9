"""The fit of each part of the model, on rows made by hand."""

from dataclasses import replace

import numpy as np
import pytest

from liveness.fusion_model import FusionModel, load_fusion_model
from research.liveness_fusion.parts import OWN, PUBLIC, Limits, fit_parts, in_view, sets_of
from research.liveness_fusion.rows import Row, RowKind

_LIMITS = Limits()
_FIRST, _SECOND, _THIRD = PUBLIC


def _row(
    number: int,
    *,
    live: bool,
    kind: RowKind = RowKind.CLIP,
    source: str = "Silent-Face-Anti-Spoofing",
    scores: dict[str, float] | None = None,
    networks: dict[str, float] | None = None,
) -> Row:
    return Row(
        kind=kind,
        name=str(number),
        source=f"{source}/{number % 5}",
        species="" if live else "screen",
        live=live,
        scores={"colour_gamut": 0.5, "blur_depth": 0.5} if scores is None else scores,
        networks=networks or {},
    )


def _noisy_rows(names: tuple[str, ...], *, count: int = 400) -> list[Row]:
    """Scans for which the networks err independently of one another."""
    rng = np.random.default_rng(5)
    rows = []
    for number in range(count):
        live = number % 2 == 0
        odds = rng.normal(1.0 if live else -1.0, 2.0, len(names))
        real = 1 / (1 + np.exp(-odds))
        rows.append(_row(number, live=live, networks=dict(zip(names, real.tolist(), strict=True))))
    return rows


def _fitted(rows: list[Row]) -> FusionModel:
    return fit_parts(rows, load_fusion_model(), _LIMITS)


def _weight(model: FusionModel, *names: str) -> float:
    return model.scan_networks.known[frozenset(names)].weight


def test_sets_are_all_parts_of_the_public_networks_and_our_own_alone() -> None:
    assert set(sets_of([_FIRST])) == {frozenset({_FIRST})}
    assert set(sets_of([_FIRST, _SECOND, OWN, "another"])) == {
        frozenset({_FIRST}),
        frozenset({_SECOND}),
        frozenset({_FIRST, _SECOND}),
        frozenset({OWN}),
    }
    assert len(sets_of([*PUBLIC, OWN])) == 8
    assert sets_of(["another"]) == ()


def test_only_scans_and_pictures_like_them_show_the_surroundings_of_the_face() -> None:
    clip = _row(0, live=True, source="anyone")
    assert in_view(clip)
    assert not in_view(replace(clip, kind=RowKind.FRAME))
    assert not in_view(replace(clip, kind=RowKind.PICTURE))
    assert in_view(_row(0, live=True, kind=RowKind.PICTURE))


def test_networks_that_err_independently_weigh_more_together_than_alone() -> None:
    model = _fitted(_noisy_rows(PUBLIC))
    sets = model.scan_networks.known
    assert set(sets) == {frozenset(), *sets_of(PUBLIC)}
    pair, three = _weight(model, _FIRST, _SECOND), _weight(model, *PUBLIC)
    assert max(_weight(model, _FIRST), _weight(model, _SECOND)) < pair < three
    # The log odds of the mean of n networks are n times those of one of them: 2 * 1 / 2 ** 2 each.
    assert pair == pytest.approx(2 * 0.5, rel=0.25)
    assert three == pytest.approx(3 * 0.5, rel=0.25)


def test_a_network_that_repeats_another_adds_nothing_to_it() -> None:
    rows = [
        replace(row, networks={_FIRST: row.networks[_FIRST], _SECOND: row.networks[_FIRST]})
        for row in _noisy_rows((_FIRST,))
    ]
    model = _fitted(rows)
    assert _weight(model, _FIRST, _SECOND) == pytest.approx(_weight(model, _FIRST))


def test_an_unknown_set_has_the_least_weight_and_the_mean_bias_of_those_that_are_fitted() -> None:
    networks = _fitted(_noisy_rows((*PUBLIC, OWN))).scan_networks
    fitted = [one for names, one in networks.known.items() if names]
    assert networks.unknown.bias == pytest.approx(np.mean([one.bias for one in fitted]))
    assert networks.unknown.weight == min(one.weight for one in fitted)


def test_a_sign_of_life_counts_without_a_network_and_beside_our_own_alone() -> None:
    model = _fitted(_noisy_rows((*PUBLIC, OWN)))
    signs = {names: one.motion_for for names, one in model.scan_networks.known.items() if one.motion_for}
    assert signs == {frozenset(): _LIMITS.motion_alone, frozenset({OWN}): _LIMITS.motion_beside_own}
    assert model.scan_networks.calibration_for(()).weight == 0
    assert not any(one.motion_for for one in model.still_networks.known.values())


def test_the_motion_weight_is_fitted_on_flat_attacks() -> None:
    def rows(lively: float) -> list[Row]:
        """Persons that move more or less, and sheets."""
        return [
            _row(number, live=number % 2 == 0, scores={"planar_motion": lively if number % 2 == 0 else 0.1})
            for number in range(100)
        ]

    some, more = _fitted(rows(0.55)), _fitted(rows(0.99))
    assert some.motion == more.motion
    assert some.motion.weights["planar_motion"] > 0.5
    assert some.motion.most_against == _LIMITS.motion_against


def test_a_blink_has_no_weight() -> None:
    rows = [
        _row(
            number,
            live=number % 2 == 0,
            scores={"planar_motion": 0.5, "blink": 0.95 if number % 2 == 0 else 0.05},
        )
        for number in range(100)
    ]
    assert set(_fitted(rows).motion.weights) == {"planar_motion"}


def test_scans_have_no_cues_and_stills_have_them_beside_every_set() -> None:
    rows = [
        replace(row, kind=kind, scores={"colour_gamut": 0.8 if row.live else 0.3, "blur_depth": 0.5})
        for row in _noisy_rows((_FIRST, _SECOND))
        for kind in (RowKind.CLIP, RowKind.FRAME)
    ]
    model = _fitted(rows)
    assert {one.cues for one in model.scan_networks.known.values()} == {None}
    for calibration in model.still_networks.known.values():
        assert calibration.cues is not None
        assert calibration.cues.weights["colour_gamut"] > calibration.cues.weights["blur_depth"]
        assert (calibration.cues.most_for, calibration.cues.most_against) == (
            _LIMITS.still_cues_for,
            _LIMITS.still_cues_against,
        )
    assert model.still_networks.unknown.cues is None


def test_a_deepfake_teaches_nothing_about_networks() -> None:
    rows = _noisy_rows((_FIRST,))
    faked = [
        replace(row, name=f"faked {row.name}", live=False, species="deepfake", networks={_FIRST: 0.99})
        for row in rows[:50]
    ]
    assert _fitted([*rows, *faked]).scan_networks == _fitted(rows).scan_networks


def test_a_source_of_many_scans_counts_as_one_of_few() -> None:
    """Scans of a large source that a network does not distinguish do not outweigh those of a small one."""
    distinct = [
        _row(5 * n, live=n % 2 == 0, networks={_FIRST: 0.9 if n % 2 == 0 else 0.1}) for n in range(10)
    ]
    alike = [_row(5 * n + 1, live=n % 2 == 0, networks={_FIRST: 0.5}) for n in range(200)]
    few, many = (
        _fitted([*distinct, *some]).scan_networks.calibration_for([_FIRST]) for some in (alike[:10], alike)
    )
    assert many.weight == pytest.approx(few.weight, rel=1e-3)


def test_rows_on_which_no_cue_was_measured_are_fitted() -> None:
    rows = [replace(row, kind=RowKind.FRAME, scores={}) for row in _noisy_rows((_FIRST,))]
    calibration = _fitted(rows).still_networks.calibration_for([_FIRST])
    assert calibration.weight > 0
    assert calibration.cues is None or not calibration.cues.weights
