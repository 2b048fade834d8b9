import hashlib
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_integrity.check import Assurance
from liveness import ChallengeKind
from server.domain.terms import Mode
from server.policies import load_policies, parse_policy, read_policy
from server.policies.loading import PolicyInvalid, PolicyNotFound
from vision.packs.calibration import parse_calibration

_MINE = b"""
name = "mine"
version = 7
description = "The operator's."
mode = "EXPRESS"

[match]
max_fmr = 0.005
"""


def test_the_shipped_policies() -> None:
    book = load_policies()
    assert book.names == ("adaptive", "dynamic", "evaluation", "high", "low", "no-flash", "standard")
    low, standard, high = (book.get(name).policy for name in ("low", "standard", "high"))
    assert (low.mode, standard.mode, high.mode) == (Mode.EXPRESS, Mode.EXPRESS, Mode.DYNAMIC)
    assert low.match.max_fmr > standard.match.max_fmr > high.match.max_fmr
    assert low.liveness.live_threshold < standard.liveness.live_threshold < high.liveness.live_threshold
    assert high.device.minimum_assurance is Assurance.MEDIUM
    floors = [policy.challenge_for(Mode.DYNAMIC).required_bits for policy in (low, standard, high)]
    assert floors == [12, 12, 16]


def test_a_shipped_policy_demands_the_flash_and_a_blink_without_evidence_of_the_device() -> None:
    book = load_policies()
    dynamic, standard = book.get("dynamic").policy, book.get("standard").policy
    assert (dynamic.mode, dynamic.doubt) == (Mode.DYNAMIC, None)
    assert dynamic.challenge.blink
    assert not standard.challenge.blink
    assert dynamic.device == standard.device
    assert (dynamic.match, dynamic.liveness) == (standard.match, standard.liveness)


def test_a_shipped_policy_begins_with_the_flash_and_one_never_flashes() -> None:
    book = load_policies()
    adaptive, no_flash = book.get("adaptive").policy, book.get("no-flash").policy
    assert (adaptive.mode, adaptive.first_mode) == (Mode.EXPRESS, Mode.DYNAMIC)
    assert no_flash.first_mode is Mode.EXPRESS
    assert not no_flash.challenge.flash_allowed
    assert no_flash.doubt is not None
    assert ChallengeKind.FLASH not in no_flash.doubt.order


@pytest.mark.parametrize("name", ["standard", "low", "adaptive"])
def test_doubt_demands_no_less_than_a_raised_mode(name: str) -> None:
    policy = load_policies().get(name).policy
    asked, raised = (
        policy.challenge_for(Mode.EXPRESS, ChallengeKind.FLASH),
        policy.challenge_for(Mode.DYNAMIC),
    )
    assert asked == raised
    assert policy.doubt is not None
    assert policy.doubt.order == tuple(ChallengeKind)
    for challenge in ChallengeKind:
        assert policy.doubt.live_threshold(challenge) >= policy.liveness.live_threshold


@pytest.mark.parametrize("name", ["standard", "low", "adaptive", "no-flash"])
def test_the_scans_deadline_covers_the_attempt_that_doubt_allows(name: str) -> None:
    policy = load_policies().get(name).policy
    longest = (policy.attempts.maximum + 1) * policy.deadlines.attempt_seconds
    assert policy.deadlines.scan_seconds >= longest


@pytest.mark.parametrize("name", ["standard", "low", "adaptive", "no-flash"])
def test_what_resolves_doubt_stops_a_rigid_mask(name: str) -> None:
    policy = load_policies().get(name).policy
    assert policy.doubt is not None
    for challenge in policy.doubt.order:
        demands = policy.challenge_for(policy.mode, challenge)
        assert demands.blink or demands.open_mouth


def test_shipped_policies_serve_people_who_cannot_blink_turn_or_see_flashes() -> None:
    book = load_policies()
    standard, no_flash, adaptive = (book.get(name).policy for name in ("standard", "no-flash", "adaptive"))
    for policy in (standard, no_flash, adaptive):
        challenge = policy.challenge_for(policy.mode)
        assert not challenge.blink
        assert not challenge.depth
    assert (standard.first_mode, no_flash.first_mode) == (Mode.EXPRESS, Mode.EXPRESS)
    for name in ("dynamic", "high"):
        assert book.get(name).policy.challenge.blink


_OF_DECISIONS = ("adaptive", "dynamic", "low", "no-flash", "standard")


@pytest.mark.parametrize(
    ("calibration", "supported"),
    [
        ("mobilefacenet_foamliu_yunet", {*_OF_DECISIONS, "high"}),
        ("mobilefacenet_foamliu_mesh", {*_OF_DECISIONS, "high"}),
        ("mobilefacenet_foamliu_scrfd", set(_OF_DECISIONS)),
        ("edgeface_xs_gamma_06_yunet", {*_OF_DECISIONS, "high"}),
        ("edgeface_xs_q_yunet", {*_OF_DECISIONS, "high"}),
        ("edgeface_xs_q_scrfd", {*_OF_DECISIONS, "high"}),
        ("sface_2021dec", set(_OF_DECISIONS)),
        ("w600k_mbf", set(_OF_DECISIONS)),
        ("w600k_r50", set(_OF_DECISIONS)),
    ],
)
def test_which_shipped_policies_a_packaged_calibration_supports(
    calibration: str, supported: set[str]
) -> None:
    file = files("vision.packs") / "calibrations" / f"{calibration}.toml"
    read = parse_calibration(file.read_text(encoding="utf-8"), source=file.name)
    book = load_policies()
    found = {name for name in book.names if book.get(name).policy.match.max_fmr >= read.lowest_bound}
    assert found == supported | {"evaluation"}


def test_the_policy_for_trials_differs_from_the_default_only_in_the_match() -> None:
    book = load_policies()
    trial, standard = (book.get(name).policy.model_dump(mode="json") for name in ("evaluation", "standard"))
    differs = {key for key in trial if trial[key] != standard[key]}
    assert differs == {"name", "version", "description", "match", "doubt"}
    assert trial["doubt"] is None
    assert trial["match"]["max_fmr"] == 100 * standard["match"]["max_fmr"]


def test_a_policy_carries_the_hash_of_its_bytes() -> None:
    file = parse_policy(_MINE, origin="mine.toml")
    assert file.source == _MINE
    assert file.sha256 == hashlib.sha256(_MINE).digest()
    assert parse_policy(_MINE + b"# a comment\n", origin="x").sha256 != file.sha256


def test_a_frozen_source_is_read_again_as_it_was() -> None:
    book = load_policies()
    for name in book.names:
        file = book.get(name)
        assert parse_policy(file.source, origin="a check") == file


def test_an_unknown_policy_names_those_that_there_are() -> None:
    with pytest.raises(
        PolicyNotFound, match="adaptive, dynamic, evaluation, high, low, no-flash, standard"
    ) as caught:
        load_policies().get("none")
    assert caught.value.known == ("adaptive", "dynamic", "evaluation", "high", "low", "no-flash", "standard")


def test_the_operators_folder_adds_and_replaces(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(_MINE)
    (tmp_path / "standard.toml").write_bytes(_MINE.replace(b'"mine"', b'"standard"'))
    (tmp_path / "notes.txt").write_text("no policy")
    book = load_policies(tmp_path)
    assert book.names == ("adaptive", "dynamic", "evaluation", "high", "low", "mine", "no-flash", "standard")
    assert book.get("standard").policy.version == 7


def test_the_problems_of_all_files_are_listed_with_file_and_key(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(_MINE.replace(b"0.005", b"5"))
    (tmp_path / "b.toml").write_bytes(_MINE + b"[nothing]\nx = 1\n")
    (tmp_path / "c.toml").write_bytes(_MINE)
    (tmp_path / "d.toml").write_bytes(_MINE)
    (tmp_path / "e.toml").write_bytes(b"name = \n")
    (tmp_path / "f.toml").write_bytes(_MINE.replace(b"version = 7\n", b""))
    with pytest.raises(PolicyInvalid) as caught:
        load_policies(tmp_path)
    a, b, d, e, f = caught.value.problems
    assert a.startswith(f"{tmp_path / 'a.toml'}: match.max_fmr: ")
    assert b.endswith("b.toml: nothing: there is no such key")
    assert d.endswith("d.toml: name: 'mine' is also the name in c.toml")
    assert "e.toml: not TOML: " in e
    assert "line 1" in e
    assert f.endswith("f.toml: version: is missing")


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyInvalid, match="not a folder"):
        load_policies(tmp_path / "none")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyInvalid, match="cannot be read"):
        read_policy(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (b"\xff\xfe", "not UTF-8 at byte 0"),
        (b"#" * 65_537, "at most 65536"),
        (b"a = " + b"[" * 20_000, "not TOML"),
        (b"", "name: is missing"),
    ],
)
@pytest.mark.usefixtures("without_collection")
def test_hostile_bytes_are_refused(source: bytes, said: str) -> None:
    with pytest.raises(PolicyInvalid, match=said):
        parse_policy(source, origin="x.toml")


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(source: bytes) -> None:
    with pytest.raises(PolicyInvalid) as caught:
        parse_policy(source, origin="x.toml")
    assert all(problem.startswith("x.toml: ") for problem in caught.value.problems)


@given(st.integers(0, len(_MINE)), st.binary(max_size=4))
def test_a_damaged_policy_is_read_or_refused(place: int, junk: bytes) -> None:
    damaged = _MINE[:place] + junk + _MINE[place:]
    source: bytes | None = None
    problems: tuple[str, ...] = ()
    try:
        source = parse_policy(damaged, origin="x.toml").source
    except PolicyInvalid as error:
        problems = error.problems
    assert source == damaged or problems


def test_problems_of_a_floor_are_reported_by_its_key() -> None:
    for table, problem in {
        '[device]\nminimum_assurance = "SOME"\n': "device.minimum_assurance: Input should be",
        '[device.minimum_assurance]\nweb = "LOW"\n': "device.minimum_assurance.default: is missing",
    }.items():
        with pytest.raises(PolicyInvalid, match=rf"x\.toml: {problem}"):
            parse_policy(_MINE + table.encode(), origin="x.toml")
