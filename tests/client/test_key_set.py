import json
from typing import Any

import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey

from facegate_client import ServerNotTrustedError, load_key_set

FIRST: dict[str, Any] = dict(ECKey.generate_key("P-256", parameters={"kid": "1"}).as_dict(private=False))
SECOND: dict[str, Any] = dict(ECKey.generate_key("P-256", parameters={"kid": "2"}).as_dict(private=False))


def test_keys_are_found_by_their_identifier() -> None:
    keys = load_key_set({"keys": [FIRST, SECOND]})
    assert [key.kid for key in keys.keys] == ["1", "2"]
    assert keys.find("2") == keys.keys[1]
    assert keys.find("3") is None
    assert keys.find(None) is None


def test_a_kept_set_is_read_again() -> None:
    keys = load_key_set(json.dumps({"keys": [FIRST, SECOND]}))
    kept = keys.as_dict()
    assert load_key_set(json.dumps(kept)) == keys
    assert kept["keys"][0] == FIRST | {"use": "sig", "alg": "ES256"}


def test_private_parts_are_not_kept() -> None:
    private = ECKey.generate_key("P-256", parameters={"kid": "1"}).as_dict(private=True)
    assert "d" not in load_key_set({"keys": [private]}).as_dict()["keys"][0]


@pytest.mark.parametrize(
    "other",
    [
        dict(RSAKey.generate_key(2048, parameters={"kid": "2"}).as_dict(private=False)),
        dict(OKPKey.generate_key("Ed25519", parameters={"kid": "2"}).as_dict(private=False)),
        dict(ECKey.generate_key("P-384", parameters={"kid": "2"}).as_dict(private=False)),
        SECOND | {"use": "enc"},
        SECOND | {"alg": "ES384"},
        SECOND | {"key_ops": ["sign"]},
        SECOND | {"kid": 2},
        {name: value for name, value in SECOND.items() if name != "kid"},
    ],
    ids=["rsa", "ed25519", "p-384", "encryption", "algorithm", "signing", "number", "unnamed"],
)
def test_keys_that_sign_no_results_are_left_out(other: dict[str, Any]) -> None:
    assert [key.kid for key in load_key_set({"keys": [other, FIRST]}).keys] == ["1"]
    with pytest.raises(ServerNotTrustedError, match="no keys"):
        load_key_set({"keys": [other]})


@pytest.mark.parametrize(
    "broken",
    [
        FIRST | {"x": FIRST["y"]},
        FIRST | {"x": FIRST["x"] + "="},
        FIRST | {"x": "AA"},
        FIRST | {"x": 1},
        FIRST | {"y": None},
        {name: value for name, value in FIRST.items() if name != "y"},
    ],
    ids=["not-on-the-curve", "padding", "short", "number", "null", "missing"],
)
def test_a_broken_key_of_results_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(ServerNotTrustedError, match="cannot be read"):
        load_key_set({"keys": [SECOND, broken]})


def test_an_identifier_that_is_there_twice_is_refused() -> None:
    with pytest.raises(ServerNotTrustedError, match="same identifier"):
        load_key_set({"keys": [FIRST, SECOND | {"kid": "1"}]})
