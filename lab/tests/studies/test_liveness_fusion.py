"""The fit of the fusion of signals."""

import csv
import math
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.studies.liveness_fusion.fit import fit_model, main, model_text
from lab.studies.liveness_fusion.left_out import (
    RowDecisions,
    count_pushes,
    decide_unseen,
    placed_without,
    with_sure,
)
from lab.studies.liveness_fusion.measure import main as measure_main
from lab.studies.liveness_fusion.parts import (
    OWN,
    PUBLIC,
    Limits,
    balanced_shares,
    fit_logistic,
    fit_parts,
    fit_trace,
    fit_traces,
    in_view,
    sets_of,
)
from lab.studies.liveness_fusion.rows import Row, RowKind, RowsUnusable, read_rows, write_rows
from lab.tests.studies.parts import part_of
from liveness.fusion_model import (
    FusionModel,
    NetworkCalibration,
    NetworkCalibrations,
    Trace,
    Traces,
    load_fusion_model,
    parse_fusion_model,
)
from tests.packs import shared_pack

# The fit from rows to a data file, on rows made by hand.


def _rows() -> list[Row]:
    rng = np.random.default_rng(1)
    rows = []
    for number in range(60):
        live = number % 2 == 0
        toward = 0.85 if live else 0.15
        source = f"Silent-Face-Anti-Spoofing/{number % 6}"

        def around(middle: float) -> float:
            return float(np.clip(rng.normal(middle, 0.15), 0.01, 0.99))

        cues = {"colour_gamut": around(0.6 if live else 0.3), "blur_depth": around(0.5)}
        networks = {name: around(toward) for name in (*PUBLIC, OWN)}
        motion = {"planar_motion": around(toward), "micro_motion": around(toward), "blink": around(toward)}
        species = "" if live else "screen"
        rows += [
            Row(RowKind.CLIP, f"c{number}", source, species, live, motion | cues, networks),
            Row(RowKind.PICTURE, f"p{number}", source, species, live, cues, networks),
        ]
    return rows


@cache
def _fitted() -> FusionModel:
    return fit_model(_rows(), load_fusion_model(), Limits())


def test_the_fit_finds_the_signals_that_distinguish_and_records_its_data() -> None:
    model = _fitted()
    assert model.motion.weights["planar_motion"] > 0.3
    assert "blink" not in model.motion.weights
    assert model.scan_networks.calibration_for(PUBLIC).weight > 0.3
    for names in ((), PUBLIC[:1], PUBLIC):
        cues = model.still_networks.calibration_for(names).cues
        assert cues is not None
        assert cues.weights["colour_gamut"] > cues.weights["blur_depth"]
    assert "30 live" in model.record["data"]
    for name in ("low", "standard", "high"):
        assert "30" in model.record[f"left_out_{name}_scans"]


def test_the_fitted_model_is_written_as_a_text_that_is_read_as_the_same_model() -> None:
    model = _fitted()
    read = parse_fusion_model(model_text(model))
    assert read.record == model.record
    assert set(read.scan_networks.known) == set(model.scan_networks.known)
    assert set(read.still_networks.known) == set(model.still_networks.known)
    for names, calibration in read.scan_networks.known.items():
        assert calibration.weight == pytest.approx(model.scan_networks.known[names].weight, abs=1e-3)
        assert calibration.motion_for == model.scan_networks.known[names].motion_for
        assert calibration.sure == model.scan_networks.known[names].sure


def test_the_command_writes_a_model(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows", _rows())
    assert main([str(tmp_path / "rows"), "--out", str(tmp_path / "out")]) == 0
    assert parse_fusion_model((tmp_path / "out/fusion_model.toml").read_text()).version == "9"


def test_rows_are_read_as_they_were_written_and_others_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    write_rows(path, _rows()[:3])
    assert read_rows(path) == _rows()[:3]
    for text in ("{}", "3", "[", '{"kind": "novel"}'):
        path.write_text(text)
        with pytest.raises(RowsUnusable):
            read_rows(path)
    assert main([str(path), "--out", str(tmp_path)]) == 2


def _sample(weights: list[float], bias: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    values = rng.normal(0, 2, (count, len(weights)))
    labels = (rng.random(count) < 1 / (1 + np.exp(-(values @ weights + bias)))).astype(float)
    return values, labels


def test_the_weights_that_made_the_labels_are_found() -> None:
    values, labels = _sample([0.8, 0.3], -0.4, 20_000)
    shares = np.full(len(labels), 1 / len(labels))
    weights, bias = fit_logistic(values, labels, shares, prior=(0.0, 0.0, 0.0))
    assert weights == pytest.approx([0.8, 0.3], abs=0.05)
    assert bias == pytest.approx(-0.4, abs=0.05)


def test_a_signal_with_the_wrong_sign_gets_no_weight() -> None:
    values, labels = _sample([0.8, -0.5], 0.0, 4000)
    weights, _ = fit_logistic(values, labels, np.full(4000, 1 / 4000), prior=(0.0, 0.0, 0.0))
    assert weights[1] == 0
    assert weights[0] > 0.5


def test_little_data_stays_near_its_prior() -> None:
    values, labels = np.array([[2.0], [-2.0]]), np.array([1.0, 0.0])
    pulled, _ = fit_logistic(values, labels, np.array([0.5, 0.5]), prior=(0.3, 5.0, 5.0))
    free, _ = fit_logistic(values, labels, np.array([0.5, 0.5]), prior=(0.3, 0.001, 0.001))
    assert 0.3 < pulled[0] < 0.6 < free[0]


def test_no_weight_exceeds_its_limit() -> None:
    values, labels = _sample([0.8, 0.3], 0.0, 4000)
    weights, _ = fit_logistic(values, labels, np.full(4000, 1 / 4000), prior=(0.0, 0.0, 0.0), most=0.5)
    assert weights == pytest.approx([0.5, 0.3], abs=0.1)


def test_evidence_given_as_offset_is_not_fitted_again() -> None:
    values, labels = _sample([0.8], 0.0, 20_000)
    shares = np.full(len(labels), 1 / len(labels))
    weights, bias = fit_logistic(
        values, labels, shares, prior=(0.0, 0.0, 0.0), offset=np.asarray(0.8 * values[:, 0])
    )
    assert weights[0] == pytest.approx(0, abs=0.05)
    assert bias == pytest.approx(0, abs=0.05)


def test_live_and_attack_weigh_alike_and_large_sources_by_their_root() -> None:
    labels = [True] * 17 + [False] * 4
    sources = ["large"] * 16 + ["small"] + ["large"] * 4
    shares = balanced_shares(labels, sources)
    assert shares.sum() == pytest.approx(1)
    assert shares[:17].sum() == pytest.approx(0.5)
    assert shares[:16].sum() / shares[16] == pytest.approx(4)


# Measuring a few real images and one clip.

_CLIP = "live/quentin-csg__videos__real.mp4"


def _pictures(assets: Path) -> tuple[str, str]:
    """An image of a source on which Facegate's network was trained, and one of another source."""
    with (assets / "data/pad/manifest.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["usable"] == "1"]
    trained = next(row["file"] for row in rows if row["source_repo"].startswith("neonipun/"))
    unseen = next(row["file"] for row in rows if row["source_repo"].startswith("Krzysiek354/"))
    return trained, unseen


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_our_network_scores_only_rows_outside_its_training_data(assets: Path, tmp_path: Path) -> None:
    trained, unseen = _pictures(assets)
    part_of(assets / "data/pad", tmp_path / "data/pad", [trained, unseen])
    part_of(assets / "data/video", tmp_path / "data/video", [_CLIP])
    spec = f"open:{assets / 'models'}"
    packs = ["--pack", spec, "--pack", "embedded"]
    chosen = ["--only", "clips", "--only", "pictures"]
    out = tmp_path / "rows"
    assert measure_main(["--assets", str(tmp_path), *packs, *chosen, "--out", str(out)]) == 0
    rows = read_rows(out)
    by_name = {row.name: row for row in rows if row.kind is RowKind.PICTURE}
    public = {network.name for network in shared_pack(spec).pad_networks}
    assert "minifas_v2se" in public <= set(PUBLIC)
    assert set(by_name[trained].networks) == public
    assert set(by_name[unseen].networks) == {*public, OWN}
    clips = [row for row in rows if row.kind is RowKind.CLIP]
    frames = [row for row in rows if row.kind is RowKind.FRAME]
    assert len(clips) == len(frames) >= 2
    assert all("planar_motion" in row.scores and "blur_depth" in row.scores for row in clips)
    assert all("planar_motion" not in row.scores and "blur_depth" in row.scores for row in frames)
    assert all(row.live and not row.species for row in clips)
    assert {row.source for row in clips} == {"quentin-csg/B3-projet-final"}


# The fit of each part of the model, on rows made by hand.

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


def _noisy_rows(names: tuple[str, ...]) -> list[Row]:
    """Scans for which the networks err independently of one another."""
    rng = np.random.default_rng(5)
    rows = []
    for number in range(400):
        live = number % 2 == 0
        odds = rng.normal(1.0 if live else -1.0, 2.0, len(names))
        real = 1 / (1 + np.exp(-odds))
        rows.append(_row(number, live=live, networks=dict(zip(names, real.tolist(), strict=True))))
    return rows


def _parts_fitted(rows: list[Row]) -> FusionModel:
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
    model = _parts_fitted(_noisy_rows(PUBLIC))
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
    model = _parts_fitted(rows)
    assert _weight(model, _FIRST, _SECOND) == pytest.approx(_weight(model, _FIRST))


def test_an_unknown_set_has_the_least_weight_and_the_mean_bias_of_those_that_are_fitted() -> None:
    networks = _parts_fitted(_noisy_rows((*PUBLIC, OWN))).scan_networks
    fitted = [one for names, one in networks.known.items() if names]
    assert networks.unknown.bias == pytest.approx(np.mean([one.bias for one in fitted]))
    assert networks.unknown.weight == min(one.weight for one in fitted)


def test_a_sign_of_life_counts_without_a_network_and_beside_our_own_alone() -> None:
    model = _parts_fitted(_noisy_rows((*PUBLIC, OWN)))
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

    some, more = _parts_fitted(rows(0.55)), _parts_fitted(rows(0.99))
    assert some.motion == more.motion
    assert some.motion.weights["planar_motion"] > 0.5
    assert some.motion.most_against == _LIMITS.motion_against


def test_scans_have_no_cues_and_stills_have_them_beside_every_set() -> None:
    rows = [
        replace(row, kind=kind, scores={"colour_gamut": 0.8 if row.live else 0.3, "blur_depth": 0.5})
        for row in _noisy_rows((_FIRST, _SECOND))
        for kind in (RowKind.CLIP, RowKind.FRAME)
    ]
    model = _parts_fitted(rows)
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
    assert _parts_fitted([*rows, *faked]).scan_networks == _parts_fitted(rows).scan_networks


def test_a_source_of_many_scans_counts_as_one_of_few() -> None:
    """Scans of a large source that a network does not distinguish do not outweigh those of a small one."""
    distinct = [
        _row(5 * n, live=n % 2 == 0, networks={_FIRST: 0.9 if n % 2 == 0 else 0.1}) for n in range(10)
    ]
    alike = [_row(5 * n + 1, live=n % 2 == 0, networks={_FIRST: 0.5}) for n in range(200)]
    few, many = (
        _parts_fitted([*distinct, *some]).scan_networks.calibration_for([_FIRST])
        for some in (alike[:10], alike)
    )
    assert many.weight == pytest.approx(few.weight, rel=1e-3)


_EVEN = NetworkCalibrations(known={}, unknown=NetworkCalibration(bias=0.0, weight=1.0))
"""Every set of networks counts as the mean of its log odds."""
_SEEN, _UNSEEN = 0.1, 0.9
_CUES = {"colour_gamut": 0.5, "blur_depth": 0.5}


def _model() -> FusionModel:
    shipped = load_fusion_model()
    return replace(
        shipped,
        traces=Traces(2.0, {"moire": Trace(begins=-1.0, full=-2.0, strength=2.0)}),
        still_networks=_EVEN,
    )


def _pushes_row(name: str, moire: float | None, one: float, *others: float) -> Row:
    scores = _CUES if moire is None else {"moire": moire, **_CUES}
    networks = dict(zip(PUBLIC, (one, *others), strict=False))
    return Row(RowKind.PICTURE, name, f"Silent-Face-Anti-Spoofing/{name}", "", True, scores, networks)


def test_rows_are_counted_once_whatever_the_number_of_networks() -> None:
    rows = [
        _pushes_row("not looked for", None, 0.9),
        _pushes_row("not seen", _UNSEEN, 0.9),
        _pushes_row("doubted", _SEEN, 0.8, 0.8),
        _pushes_row("fallen from LIVE", _SEEN, 0.75),
        _pushes_row("of two networks one is moved", _SEEN, 0.5, 0.99),
        _pushes_row("spoof anyway", _SEEN, 0.1),
        _pushes_row("live anyway", _SEEN, 0.97),
    ]
    found = count_pushes(rows, "moire", model_for=lambda _: _model())
    assert found is not None
    assert (found.seen.hits, found.seen.trials) == (5, 6)
    # Two log odds: 0.8 becomes 0.35, 0.75 becomes 0.29, 0.5 becomes 0.12. The two networks of 0.5 and 0.99
    # together have 0.91, which becomes 0.57.
    assert (found.from_live.hits, found.from_live.trials) == (3, 6)
    assert (found.into_spoof.hits, found.into_spoof.trials) == (2, 6)
    assert found.from_live.upper > found.from_live.rate


def test_networks_of_a_row_are_judged_alone_and_together() -> None:
    # Alone, each has the same verdict with the trace and without it.
    apart = _pushes_row("apart", _SEEN, 0.05, 0.998)
    alone = [replace(apart, networks={name: real}) for name, real in apart.networks.items()]
    for row in alone:
        found = count_pushes([row], "moire", model_for=lambda _: _model())
        assert found is not None
        assert found.from_live.hits == 0
    together = count_pushes([apart], "moire", model_for=lambda _: _model())
    assert together is not None
    assert (together.from_live.hits, together.from_live.trials) == (1, 1)


def test_a_scan_is_also_judged_without_a_network() -> None:
    model = replace(_model(), scan_networks=load_fusion_model().scan_networks)
    moving = {"planar_motion": 0.9, "moire": _SEEN}
    scan = Row(RowKind.CLIP, "scan", "Silent-Face-Anti-Spoofing", "", True, moving, {})
    found = count_pushes([scan], "moire", model_for=lambda _: model)
    assert found is not None
    # A sign of life without a network is LIVE, and 1.1 - 2 log odds are not.
    assert (found.from_live.hits, found.into_spoof.hits) == (1, 1)


def test_places_are_those_of_the_other_sources_and_strengths_those_of_all() -> None:
    others = [_pushes_row(f"live {number}", 0.3 + 0.004 * number, 0.9) for number in range(120)]
    attack = replace(_pushes_row("attack", 0.05, 0.1), live=False, species="screen")
    mine = _pushes_row("mine", 0.01, 0.9)
    model = placed_without([*others, attack, mine], _model(), Limits())(mine.source)
    sign = model.traces.signals["moire"]
    assert sign.begins == pytest.approx(math.log(0.3 / 0.7))
    assert sign.strength == 2.0


# A set of networks is sure only if no attack that it was not fitted to looks surely alive.

_SEVERAL = frozenset(PUBLIC)
_ALONE = frozenset({PUBLIC[0]})


def _sure_row(
    real: float, *, live: bool = False, species: str = "screen", kind: RowKind = RowKind.CLIP
) -> Row:
    """A row of which every network says the same; nothing else was measured."""
    networks = dict.fromkeys((*PUBLIC, OWN), real)
    return Row(kind, "row", "source", "" if live else species, live, {"micro_motion": 0.9}, networks)


def _decided(rows: list[Row]) -> list[RowDecisions]:
    return decide_unseen(rows, load_fusion_model(), [_SEVERAL, _ALONE, frozenset({OWN})])


def _sure(rows: list[Row]) -> FusionModel:
    return with_sure(load_fusion_model(), _decided(rows))


def test_several_networks_are_sure_unless_an_attack_scan_reaches_the_line() -> None:
    assert _sure([_sure_row(0.9), _sure_row(0.01)]).scan_networks.known[_SEVERAL].sure == 98.0
    assert _sure([_sure_row(0.9), _sure_row(0.9999)]).scan_networks.known[_SEVERAL].sure is None


@pytest.mark.parametrize(
    ("scan", "look", "early"), [(0.9, 0.9, 99.0), (0.9, 0.9999, None), (0.9999, 0.9, None)]
)
def test_they_are_sure_early_unless_an_attack_of_two_seconds_or_a_whole_one_reaches_the_line(
    scan: float, look: float, early: float | None
) -> None:
    known = _sure([_sure_row(scan), _sure_row(look, kind=RowKind.EARLY)]).scan_networks.known
    assert known[_SEVERAL].sure_early == early
    assert {known[names].sure_early for names in (_ALONE, frozenset({OWN}))} == {None}


def test_nothing_is_fitted_to_early_looks() -> None:
    rows = _noisy_rows((_FIRST,))
    looks = [replace(row, kind=RowKind.EARLY, networks=dict.fromkeys(PUBLIC, 0.99)) for row in rows]
    base = load_fusion_model()
    assert fit_parts([*rows, *looks], base, Limits()) == fit_parts(rows, base, Limits())


def test_a_network_alone_and_our_own_are_never_sure() -> None:
    known = _sure([_sure_row(0.01)]).scan_networks.known
    assert known[_ALONE].sure is None
    assert known[frozenset({OWN})].sure is None


def test_without_an_attack_nothing_is_known_and_nothing_is_sure() -> None:
    model = _sure([_sure_row(0.9999, live=True)])
    assert {one.sure for one in model.scan_networks.known.values()} == {None}


def test_a_deepfake_shows_no_medium_and_does_not_count() -> None:
    rows = [_sure_row(0.01), _sure_row(0.9999, species="deepfake")]
    assert _sure(rows).scan_networks.known[_SEVERAL].sure == 98.0


@pytest.mark.parametrize(("reached", "sure"), [(1, 97.0), (2, None)])
def test_a_twentieth_of_the_attack_pictures_may_reach_the_line(reached: int, sure: float | None) -> None:
    rows = [_sure_row(0.9999, kind=RowKind.PICTURE)] * reached
    rows += [_sure_row(0.01, kind=RowKind.PICTURE)] * (20 - reached)
    model = _sure(rows)
    assert model.still_networks.known[_SEVERAL].sure == sure
    assert model.scan_networks.known[_SEVERAL].sure is None


_LIVE = [-1.0, -0.8, -0.7, -0.5, *np.linspace(-0.4, 3.0, 495).tolist()]


def test_a_trace_counts_in_full_beyond_all_live_pictures_by_how_often_attacks_show_it() -> None:
    trace = fit_trace(_LIVE, [-3.0] * 19 + [1.0] * 179)
    assert trace is not None
    # One in a hundred of the live images is below -0.4.
    assert (trace.begins, trace.full) == pytest.approx((-1.0, -1.6))
    # All of 19 are attacks: of as many trials, 0.1 ** (1 / 19) succeed at least, at 90 %.
    chance = 0.1 ** (1 / 19)
    assert trace.strength == pytest.approx(math.log(chance / (1 - chance) * 499 / 198))


def test_a_rare_trace_is_weaker_than_a_common_one_and_still_counts() -> None:
    rare, common = (fit_trace(_LIVE, [-3.0] * many + [1.0] * (200 - many)) for many in (8, 100))
    assert rare is not None
    assert common is not None
    assert 1.5 < rare.strength < common.strength


def test_a_trace_that_few_attacks_show_is_worth_nothing() -> None:
    trace = fit_trace(_LIVE, [-3.0] + [1.0] * 400)
    assert trace is not None
    assert trace.strength == 0


def test_too_few_live_images_place_no_trace() -> None:
    assert fit_trace(_LIVE[:98], [-3.0] * 50) is None
    assert fit_trace(_LIVE[:99], [-3.0] * 50) is not None
    assert fit_trace(_LIVE, []) is None


@given(
    st.lists(st.floats(-3.9, 3.9), min_size=99, max_size=200),
    st.lists(st.floats(-3.9, 3.9), min_size=1, max_size=60),
)
def test_no_measured_live_image_exceeds_its_line(live: list[float], attacks: list[float]) -> None:
    trace = fit_trace(live, attacks)
    assert trace is not None
    assert trace.full < trace.begins
    assert trace.begins == min(live)
    assert trace.strength >= 0


def test_traces_are_distinguished_from_rows_that_have_them() -> None:
    def row(number: int, live: bool, scores: dict[str, float]) -> Row:
        return Row(RowKind.PICTURE, str(number), "s", "" if live else "screen", live, scores, {})

    rows = [row(n, True, {"moire": 0.8}) for n in range(120)] + [
        row(n, False, {"moire": 0.01}) for n in range(9)
    ]
    found = fit_traces([*rows, row(0, True, {})], ("moire", "medium_border"), most_against=2.0)
    assert found.most_against == 2.0
    assert set(found.signals) == {"moire"}
    assert found.signals["moire"].strength > 3
