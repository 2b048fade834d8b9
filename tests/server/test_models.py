from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from server.errors import ConfigurationError
from server.models import announce_pack, check_policies, load_configured_pack
from server.policies import load_policies
from tests.server.live import remembering_pack, settings_for
from vision.errors import PackNotFound

POLICIES = load_policies(None)


@pytest.mark.parametrize(
    ("evaluation_only", "event", "level"),
    [(True, "pack_for_evaluation_only", "warning"), (False, "pack_terms", "info")],
)
def test_the_terms_of_the_pack_are_told(evaluation_only: bool, event: str, level: str) -> None:
    pack = replace(remembering_pack(), evaluation_only=evaluation_only)
    with capture_logs() as logs:
        announce_pack(pack)
    told, _ = logs
    assert (told["event"], told["log_level"]) == (event, level)
    for terms in pack.terms:
        (line,) = [line for line in told["terms"] if line.startswith(f"{terms.part}: ")]
        assert terms.weights in line
        assert terms.training_data in line


def test_a_default_policy_that_the_pack_cannot_meet_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="default policy high"):
        check_policies(POLICIES, remembering_pack(), default="high")
    with pytest.raises(ConfigurationError, match=r"policies\.default"):
        check_policies(POLICIES, remembering_pack(), default="none")


def test_other_policies_that_it_cannot_meet_are_told() -> None:
    with capture_logs() as logs:
        check_policies(POLICIES, remembering_pack(), default="standard")
    assert [(log["event"], log["policy"]) for log in logs] == [("policy_not_available", "high")]


def test_a_policy_that_makes_hard_what_the_pack_cannot_assess_is_refused(tmp_path: Path) -> None:
    (tmp_path / "frontal.toml").write_text(
        'name = "frontal"\nversion = 1\ndescription = "d"\nmode = "EXPRESS"\n'
        '[match]\nmax_fmr = 0.03\n[portrait]\nprofile = "iso_full_frontal"\n'
    )
    with pytest.raises(ConfigurationError, match=r"makes hard what cannot be assessed: eyes_open"):
        check_policies(load_policies(tmp_path), remembering_pack(), default="frontal")


def test_the_configured_pack_comes_from_the_models_folder(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, pack="open", models_dir=tmp_path / "models")
    with pytest.raises(PackNotFound, match=r"not in .*models: fetch it with `facegate models pull open`"):
        load_configured_pack(settings)
