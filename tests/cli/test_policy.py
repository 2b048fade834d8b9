import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.policy import app
from server.configuration.settings import Settings
from server.policies import load_policies
from server.running.models import load_configured_pack
from vision.packs import Pack

_RUN = CliRunner()
_PACKS: dict[tuple[str, Path | None], Pack] = {}


def _load_once(settings: Settings) -> Pack:
    key = (settings.pack, settings.models_dir)
    if key not in _PACKS:
        _PACKS[key] = load_configured_pack(settings)
    return _PACKS[key]


@pytest.fixture(autouse=True)
def _loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Load a pack for the first command that needs it, not for each: that takes a second."""
    monkeypatch.setattr("cli.policy.load_configured_pack", _load_once)


_MINE = 'name = "mine"\nversion = 1\ndescription = "Mine."\nmode = "EXPRESS"\n[match]\nmax_fmr = 0.5\n'


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def test_list_names_every_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.toml").write_text(_MINE)
    monkeypatch.setenv("FACEGATE_POLICIES__FOLDER", str(tmp_path))
    answer = _RUN.invoke(app, ["show", "--json"])
    assert answer.exit_code == 0
    assert [policy["name"] for policy in json.loads(answer.stdout)] == [
        "adaptive",
        "dynamic",
        "evaluation",
        "high",
        "low",
        "mine",
        "no-flash",
        "standard",
    ]
    table = _RUN.invoke(app, ["show"]).stdout
    assert all(
        name in table
        for name in ("adaptive", "dynamic", "evaluation", "high", "low", "mine", "no-flash", "standard")
    )


def test_list_names_the_served_policies_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGATE_POLICIES__SERVED", '["standard", "high"]')
    answer = _RUN.invoke(app, ["show", "--json"])
    assert [policy["name"] for policy in json.loads(answer.stdout)] == ["high", "standard"]
    refused = _RUN.invoke(app, ["show", "low"])
    assert refused.exit_code == 2
    assert "there are high, standard" in refused.stderr


_ATTESTED = """[device]
minimum_assurance = { default = "MEDIUM", web = "LOW" }
[device.demands.ios]
app_attest = "required"
"""


def test_list_names_the_settings_that_a_policy_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.toml").write_text(_MINE + _ATTESTED)
    monkeypatch.setenv("FACEGATE_POLICIES__FOLDER", str(tmp_path))
    printed = _RUN.invoke(app, ["show"]).stdout
    assert "MEDIUM, web LOW" in printed
    line = "mine is not available: ios: it requires app_attest; not set: device_integrity.apple.app_ids"
    assert line in printed.splitlines()
    assert line in _RUN.invoke(app, ["show", "mine"]).stdout
    listed = {each["name"]: each for each in json.loads(_RUN.invoke(app, ["show", "--json"]).stdout)}
    assert (listed["evaluation"]["available"], listed["evaluation"]["left_out"]) == (True, [])
    (left_out,) = listed["mine"]["left_out"]
    assert not listed["mine"]["available"]
    assert (left_out["platform"], left_out["missing_settings"]) == ("IOS", ["device_integrity.apple.app_ids"])

    monkeypatch.setenv("FACEGATE_DEVICE_INTEGRITY__APPLE__APP_IDS", '["TEAM123456.org.example.bank"]')
    assert "mine is" not in _RUN.invoke(app, ["show"]).stdout
    assert json.loads(_RUN.invoke(app, ["show", "mine", "--json"]).stdout)["available"]


def test_list_names_the_policies_that_the_pack_does_not_meet() -> None:
    printed = _RUN.invoke(app, ["show"]).stdout
    (line,) = (line for line in printed.splitlines() if "are not available" in line)
    assert line.startswith("adaptive, dynamic, no-flash, standard are not available: the policy demands")
    assert "supports no bound below 0.00178" in line
    listed = json.loads(_RUN.invoke(app, ["show", "--json"]).stdout)
    assert [each["name"] for each in listed if each["available"]] == ["evaluation"]
    assert {each["name"]: each["pack_shortfall"] for each in listed}["evaluation"] is None
    assert "standard is not available: the policy demands" in _RUN.invoke(app, ["show", "standard"]).stdout


def test_list_states_that_the_pack_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGATE_MODELS_DIR", str(tmp_path))
    monkeypatch.setenv("FACEGATE_PACK", "open")
    answer = _RUN.invoke(app, ["show"])
    assert answer.exit_code == 0
    assert "standard are not available: the pack open cannot be used" in answer.stdout
    assert "facegate models pull open" in answer.stdout


def test_show_prints_every_setting_and_the_hash() -> None:
    file = load_policies().get("standard")
    answer = _RUN.invoke(app, ["show", "standard"])
    assert answer.exit_code == 0
    assert "deadlines.scan_seconds" in answer.stdout
    assert file.sha256.hex() in answer.stdout
    assert "is not attested" in answer.stdout
    assert "is not attested" not in _RUN.invoke(app, ["show", "high"]).stdout
    shown = json.loads(_RUN.invoke(app, ["show", "standard", "--json"]).stdout)
    assert shown["policy"] == file.policy.model_dump(mode="json")
    assert shown["sha256"] == file.sha256.hex()


def test_show_states_that_an_evaluation_pack_is_never_sure() -> None:
    assert json.loads(_RUN.invoke(app, ["show", "standard", "--json"]).stdout)["sure"] is None
    assert "never sure" in _RUN.invoke(app, ["show", "standard"]).stdout
    assert "never sure" not in _RUN.invoke(app, ["show", "evaluation"]).stdout


def test_show_states_from_which_confidence_a_pack_is_sure(
    assets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEGATE_PACK", f"open:{assets / 'models'}")
    sure = json.loads(_RUN.invoke(app, ["show", "standard", "--json"]).stdout)["sure"]
    assert 90 < sure < 100
    assert f"sure from a confidence of {sure:g}" in _RUN.invoke(app, ["show", "standard"]).stdout


def test_show_lists_the_tolerated_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.toml").write_text(_MINE + '[device]\ntolerate = ["memory.frames"]\n')
    monkeypatch.setenv("FACEGATE_POLICIES__FOLDER", str(tmp_path))
    shown = _RUN.invoke(app, ["show", "mine"]).stdout
    (line,) = (line for line in shown.splitlines() if "device.tolerate" in line)
    assert "memory.frames" in line
    policy = json.loads(_RUN.invoke(app, ["show", "mine", "--json"]).stdout)["policy"]
    assert policy["device"]["tolerate"] == ["memory.frames"]


def test_show_of_an_unknown_policy_names_the_known() -> None:
    answer = _RUN.invoke(app, ["show", "none"])
    assert answer.exit_code == 2
    assert "adaptive, dynamic, evaluation, high, low, no-flash, standard" in answer.stderr


def test_a_file_is_shown_or_every_problem_of_it(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text(_MINE)
    bad.write_text(_MINE.replace("0.5", "5") + "[nothing]\n")
    answer = _RUN.invoke(app, ["show", str(good)])
    assert answer.exit_code == 0
    assert "mine, version 1" in answer.stdout
    answer = _RUN.invoke(app, ["show", str(bad)])
    assert answer.exit_code == 1
    assert f"{bad}: match.max_fmr: " in answer.stderr
    assert f"{bad}: nothing: there is no such key" in answer.stderr
    missing = _RUN.invoke(app, ["show", str(tmp_path / "none.toml")])
    assert missing.exit_code == 1
    assert "none.toml: cannot be read" in missing.stderr


def test_what_a_policy_never_does_is_not_shown() -> None:
    shown = _RUN.invoke(app, ["show", "no-flash"]).stdout
    assert "doubt.movement.blink" in shown
    assert "doubt.flash." not in shown
    assert "challenge.raised." not in shown
    other = _RUN.invoke(app, ["show", "standard"]).stdout
    assert "doubt.flash.required_bits" in other
    assert "challenge.raised.blink" in other
