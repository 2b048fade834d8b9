"""The trust that the settings establish, and the conditions under which a server trusts test devices."""

import re
import tomllib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import ValidationError

from device_integrity.android import RootKind, google_roots
from device_integrity.camera import Platform
from device_integrity.check import Assurance
from device_integrity.policy import Demand, Evidence
from server.base.errors import ConfigurationError
from server.configuration.device import DeviceIntegritySettings
from server.configuration.settings import Settings
from server.device.apple_receipts import AppleReceiptExchange
from server.device.trust import DeviceTrust, load_served_policies
from server.device.trust import open_device_trust as open_trust_at
from server.policies.schema import DeviceRules
from server.running.app import FacegateServer
from tests.device_integrity.apple.apple_in_software import NOW, SoftwareApple
from tests.server.live import settings_for
from tests.server.policy_files import write_policy

_SPKI = "ab" * 32


def _settings(**tables: object) -> DeviceIntegritySettings:
    return DeviceIntegritySettings.model_validate(tables)


def open_device_trust(settings: DeviceIntegritySettings) -> DeviceTrust:
    return open_trust_at(settings, now=lambda: NOW)


def test_without_settings_only_the_makers_roots_are_trusted() -> None:
    trust = open_device_trust(_settings())
    assert trust.android_roots_of(sandbox=True) == google_roots()
    assert trust.apple_roots(sandbox=True) == trust.apple_roots(sandbox=False)
    assert trust.relying_party is None
    assert trust.classic_keys is None
    assert trust.play_decoder is None
    trust.close()


def test_an_operators_limits_reach_the_verifiers() -> None:
    trust = open_device_trust(
        _settings(android={"max_patch_age_months": 8, "play": {"refused_recall_bits": [1, 3]}})
    )
    assert trust.android.max_patch_age_months == 8
    assert trust.play.refused_recall_bits == {1, 3}
    assert open_device_trust(_settings()).play.refused_recall_bits == set()


def test_test_roots_count_for_sandbox_checks_only(tmp_path: Path) -> None:
    apple = SoftwareApple()
    file = tmp_path / "root.pem"
    file.write_bytes(apple.root.certificate.public_bytes(Encoding.PEM))
    receipts = tmp_path / "receipts.pem"
    receipts.write_bytes(apple.receipts.root.certificate.public_bytes(Encoding.PEM))
    settings = _settings(
        test_roots={
            "android_spki_sha256": [_SPKI],
            "apple_certificate": file,
            "apple_receipt_certificate": receipts,
        }
    )
    trust = open_device_trust(settings)
    assert settings.test_roots.configured
    assert not settings.for_tests
    assert trust.android_roots_of(sandbox=False) == google_roots()
    assert [root.kind for root in trust.android_roots_of(sandbox=True)].count(RootKind.TEST) == 1
    assert trust.apple_roots(sandbox=False) != trust.apple_roots(sandbox=True)
    assert trust.apple_roots(sandbox=True) == apple.anchors


def _further(*spki: str, name: str = "Bank devices") -> dict[str, object]:
    return {"further_roots": [{"name": name, "spki_sha256": each} for each in spki]}


def test_further_roots_count_in_every_check() -> None:
    trust = open_device_trust(_settings(android=_further(_SPKI)))
    for sandbox in (False, True):
        *known, further = trust.android_roots_of(sandbox=sandbox)
        assert tuple(known) == google_roots()
        assert (further.name, further.kind, further.spki_sha256.hex()) == (
            "Bank devices",
            RootKind.FURTHER,
            _SPKI,
        )


def test_a_further_root_never_makes_a_known_one_better() -> None:
    for root in google_roots():
        settings = _settings(android=_further(root.spki_sha256.hex()))
        if root.kind is RootKind.HARDWARE:
            # The release has added the root since; the server still starts.
            assert open_device_trust(settings).android_roots == google_roots()
            continue
        with pytest.raises(ConfigurationError, match="attests no hardware"):
            open_device_trust(settings)


def test_a_server_of_the_test_receipt_server_asks_it_in_sandbox_checks_only(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    file = tmp_path / "key.p8"
    file.touch(0o600)
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    trust = open_device_trust(
        _settings(
            apple={"receipts": {"key_file": file, "key_id": "A" * 10, "team_id": "B" * 10}},
            test_roots={"apple_receipt_server": "http://127.0.0.1:1"},
        )
    )
    real, test = (trust.receipt_exchange_of(sandbox=sandbox) for sandbox in (False, True))
    assert isinstance(real, AppleReceiptExchange)
    assert isinstance(test, AppleReceiptExchange)
    assert (real.server, test.server) == (None, "http://127.0.0.1:1")


def test_a_server_that_believes_test_apps_serves_test_policies_only(tmp_path: Path) -> None:
    assert _settings(apple={"environment": "development"}).for_tests
    with pytest.raises(ConfigurationError, match="there is none"):
        load_served_policies(None, for_tests=True)
    write_policy(tmp_path, "mine")
    (tmp_path / "mine.toml").write_text("for_tests = true\n" + (tmp_path / "mine.toml").read_text())
    assert load_served_policies(tmp_path, for_tests=True).names == ("mine",)
    write_policy(tmp_path, "production")
    with pytest.raises(ConfigurationError, match="which production do not have"):
        load_served_policies(tmp_path, for_tests=True)
    assert "high" in load_served_policies(tmp_path, for_tests=False).names


async def _refused_start(settings: Settings) -> str:
    server = FacegateServer(settings)
    with pytest.raises(ConfigurationError) as caught:
        await server.start()
    await server.stop()
    return str(caught.value)


async def test_such_a_server_does_not_start_with_a_production_policy(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, device_integrity={"apple": {"environment": "development"}})
    assert "a test server" in await _refused_start(settings)


async def test_test_roots_need_a_sandbox_caller(tmp_path: Path) -> None:
    roots = {"test_roots": {"android_spki_sha256": [_SPKI]}}
    settings = settings_for(tmp_path, sandbox=False, device_integrity=roots)
    assert "local_sandbox" in await _refused_start(settings)


@pytest.mark.parametrize(
    "tables",
    [
        {"android": {"apps": [{"package": "nodots", "certificate_sha256": [_SPKI]}]}},
        {"android": {"apps": [{"package": "a.b", "certificate_sha256": []}]}},
        {"android": {"apps": [{"package": "a.b", "certificate_sha256": [_SPKI.upper()]}]}},
        {"android": {"play": {"decoder": "local"}}},
        {"android": {"play": {"decoder": "google"}}},
        {"android": {"max_revocation_age_hours": 0}},
        {"android": _further(_SPKI.upper())},
        {"android": _further(_SPKI, name="")},
        {"android": _further(_SPKI, name="two\nlines")},
        {"android": _further(_SPKI, "cd" * 32)},
        {"apple": {"app_ids": ["org.example.bank"]}},
        {"apple": {"receipts": {"key_id": "ABCDEFGHIJ"}}},
        {"apple": {"receipts": {"key_file": "key.p8", "key_id": "short", "team_id": "ABCDEFGHIJ"}}},
        {"test_roots": {"apple_certificate": "root.pem"}},
        {"web": {"rp_id": "bank.example"}},
        {"web": {"rp_id": "bank.example", "origins": ["https://bank.example/page"]}},
        {"web": {"rp_id": "bank.example", "origins": ["http://verify.bank.example"]}},
        {"web": {"rp_id": "bank.example", "origins": ["https://bank.example", "https://evil.example"]}},
        {"web": {"rp_id": "bank.example", "origins": ["https://notbank.example"]}},
        {"web": {"rp_id": "bank.example", "origins": ["https://bank.example.evil.example"]}},
        {"web": {"rp_id": "localhost", "origins": ["http://localhost.evil.example"]}},
        {"web": {"rp_id": "bank.example", "origins": ["https://[bank.example"]}},
        {"proxy_spki_sha256": ["ab"]},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(tables: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        _settings(**tables)


@pytest.mark.parametrize(
    ("site", "origins"),
    [
        ("bank.example", ["https://bank.example", "https://verify.bank.example:8443"]),
        ("localhost", ["http://localhost:8080", "https://verify.localhost"]),
        ("127.0.0.1", ["http://127.0.0.1:8080"]),
    ],
)
def test_pages_of_the_site_with_tls_and_of_this_computer_without(site: str, origins: list[str]) -> None:
    assert _settings(web={"rp_id": site, "origins": origins}).web.origins == tuple(origins)


@pytest.mark.parametrize(
    ("site", "written", "sent"),
    [
        ("bank.example", "https://bank.example:443", "https://bank.example"),
        ("Bank.Example", "HTTPS://Verify.BANK.example/", "https://verify.bank.example"),
        ("bücher.example", "https://BÜCHER.example:8443", "https://xn--bcher-kva.example:8443"),
        ("xn--bcher-kva.example", "https://\uff42ücher.example", "https://xn--bcher-kva.example"),
        ("localhost", "http://localhost:80", "http://localhost"),
        ("localhost", "http://localhost:0443", "http://localhost:443"),
    ],
)
def test_origins_are_brought_to_the_form_that_browsers_send(site: str, written: str, sent: str) -> None:
    web = _settings(web={"rp_id": site, "origins": [written]}).web
    assert web.origins == (sent,)
    assert DeviceRules(web_origins=[written]).web_origins == (sent,)  # type: ignore[arg-type]  # as in a file
    assert web.rp_id == site.lower().encode("idna").decode()


@pytest.mark.parametrize(
    "origin",
    [
        "https://a:99999",
        "https://a:x",
        "https://a/page",
        "https://u@a",
        "https://a%62",
        "ftp://a",
        "https://",
    ],
)
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValidationError):
        _settings(web={"rp_id": "a", "origins": [origin]})
    with pytest.raises(ValidationError):
        DeviceRules(web_origins=[origin])  # type: ignore[arg-type]  # as in a file


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        (
            {"test_roots": {"apple_certificate": "missing.pem", "apple_receipt_certificate": "missing.pem"}},
            "cannot be read",
        ),
        (
            {"apple": {"receipts": {"key_file": "missing.p8", "key_id": "A" * 10, "team_id": "B" * 10}}},
            "cannot be read",
        ),
        (
            {
                "android": {
                    "play": {
                        "decoder": "local",
                        "decryption_key_file": "missing",
                        "verification_key_file": "missing",
                    }
                }
            },
            "cannot be read",
        ),
    ],
)
def test_files_that_are_not_there_keep_the_server_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tables: dict[str, object], expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=expected):
        open_device_trust(_settings(**tables))


def test_a_malformed_response_key_is_not_repeated_in_the_error(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.touch(0o600)
    file.write_text("hunter2")
    play = {"decoder": "local", "decryption_key_file": file, "verification_key_file": file}
    with pytest.raises(ConfigurationError) as caught:
        open_device_trust(_settings(android={"play": play}))
    assert "hunter2" not in str(caught.value)


def test_the_guides_examples_are_settings_and_a_policy() -> None:
    text = (Path(__file__).parents[3] / "docs" / "device_integrity.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```toml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    waiver, decisive, settings, keys, policy, floors, roots = examples
    decided = DeviceRules.model_validate(tomllib.loads(decisive)["device"]).decide
    assert decided == ("runtime.root", "runtime.automation")
    assert DeviceRules.model_validate(tomllib.loads(waiver)["device"]).tolerate == ("memory.frames",)
    assert _settings(**tomllib.loads(keys)["device_integrity"]).server_keys == "complete"
    table = tomllib.loads(settings.replace("0123...", _SPKI))
    assert _settings(**table["device_integrity"]).android.apps[0].package == "org.example.bank"
    (root,) = _settings(
        **tomllib.loads(roots.replace("0123...", _SPKI))["device_integrity"]
    ).android.further_roots
    assert root.name == "Example devices, 2027"
    least = DeviceRules.model_validate(tomllib.loads(floors)["device"]).as_table().least
    assert (least(Platform.WEB), least(Platform.IOS)) == (Assurance.LOW, Assurance.MEDIUM)
    rules = DeviceRules.model_validate(tomllib.loads(policy)["device"])
    assert rules.as_table().demand_for(Platform.ANDROID, Evidence.ANDROID_KEY) is Demand.REQUIRED
