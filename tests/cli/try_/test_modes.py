from dataclasses import replace
from pathlib import Path

import pytest
from facegate.v1 import scan_pb2

from cli.errors import OutputUnusable
from cli.try_.modes import offered_modes, write_trial_policy
from server.policies import load_policies
from tests.cli.demo.builders import PACK
from tests.packs import real_pack


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    write_trial_policy(tmp_path)
    return tmp_path


def test_a_pack_for_evaluation_gets_policies_for_trials(folder: Path) -> None:
    modes = offered_modes(real_pack(), folder=folder)
    assert [(mode.policy, mode.wanted, mode.shortfall) for mode in modes] == [
        ("evaluation", scan_pb2.MODE_UNSPECIFIED, ""),
        ("evaluation-colours", scan_pb2.MODE_UNSPECIFIED, ""),
        ("evaluation", scan_pb2.MODE_DYNAMIC, ""),
    ]


def test_a_mode_that_the_pack_cannot_serve_states_why(folder: Path) -> None:
    _, _, dynamic = offered_modes(replace(real_pack(), landmarker=None), folder=folder)
    assert "it demands a blink" in dynamic.shortfall
    express, colours, _ = offered_modes(replace(PACK, evaluation_only=False), folder=folder)
    assert (express.policy, colours.policy) == ("standard", "adaptive")
    assert express.shortfall


def test_the_policy_for_trials_may_be_declined(folder: Path) -> None:
    policy = load_policies(folder).get("evaluation-colours").policy
    assert (policy.mode.value, policy.match.max_fmr) == ("EXPRESS", 1e-2)


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    with pytest.raises(OutputUnusable, match="cannot be written"):
        write_trial_policy(tmp_path / "missing")
