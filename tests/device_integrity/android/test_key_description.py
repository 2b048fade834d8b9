"""The reader of KeyDescription: equal to Google's own readings, lenient and strict where it has to be."""

import base64
import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from device_integrity.android.chain import ATTESTATION_EXTENSION, parse_certificates
from device_integrity.android.key_description import (
    AuthorizationList,
    KeyDescription,
    SecurityLevel,
    read_application_id,
    read_authorizations,
    read_certificates_issued,
    read_key_description,
)
from device_integrity.errors import KeyDescriptionMalformed
from formats import der
from lab.simulator.devices.keystore import enumerated, explicit, integer, octets, sequence, set_of, tlv
from tests.device_integrity.android.phones import Description, RootOfTrust
from tests.device_integrity.android.vectors import KEY_FOLDER, read_chain

_FOLDER = "google_keyattestation"
_LEVELS = ["SOFTWARE", "TRUSTED_ENVIRONMENT", "STRONG_BOX"]
_ORIGINS = ["GENERATED", "DERIVED", "IMPORTED", "RESERVED", "SECURELY_IMPORTED"]
_STATES = ["VERIFIED", "SELF_SIGNED", "UNVERIFIED", "FAILED"]
_JSON_NAMES = {"algorithm": "algorithms"}
"""Google's names of fields that are not ours in camel case."""
_COMPARED_APART = {"origin", "root_of_trust", "attestation_application_id", "unknown", "oddities"}
_READINGS = [
    "akita/sdk34/SB_RSA_NONE",
    "akita/sdk34/TEE_EC_NONE",
    "akita/sdk34/TEE_RSA_BASE+IMEI",
    "akita/sdk34/TEE_RSA_NONE",
    "akita/sdk34/TEE_RSA_NONE_USERAUTH",
    "blueline/sdk28/SB_RSA_NONE",
    "blueline/sdk28/SB_RSA_NONE_USERAUTH",
    "blueline/sdk28/TEE_EC_NONE",
    "blueline/sdk28/TEE_RSA_BASE+IMEI",
    "blueline/sdk28/TEE_RSA_NONE",
    "caiman/sdk36/SB_EC_RKP",
    "caiman/sdk36/TEE_EC_RKP",
    "marlin/sdk29/TEE_EC_NONE",
    "marlin/sdk29/TEE_RSA_NONE",
    "sony-xperia10-iii/sdk33/TEE_EC",
    "tokay/sdk37/TEE_MLDSA_FACTORY",
]


def _read(assets: Path, name: str) -> KeyDescription:
    leaf = parse_certificates(read_chain(assets, f"{_FOLDER}/{name}"))[0]
    return read_key_description(leaf.extensions[ATTESTATION_EXTENSION])


def _google_reading(assets: Path, name: str) -> dict[str, Any]:
    text = (assets / KEY_FOLDER / _FOLDER / f"{name}.json").read_text()
    reading = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
    assert isinstance(reading, dict)
    return reading


def _compare_list(ours: AuthorizationList, theirs: dict[str, Any]) -> None:
    theirs = dict(theirs)
    for field in dataclasses.fields(ours):
        if field.name in _COMPARED_APART:
            continue
        first, *rest = field.name.split("_")
        value = theirs.pop(_JSON_NAMES.get(field.name, first + "".join(map(str.title, rest))), None)
        mine = getattr(ours, field.name)
        if value is None:
            assert mine in (None, False, frozenset()), field.name
        elif isinstance(mine, frozenset):
            assert mine == frozenset(map(int, value)), field.name
        elif isinstance(mine, bytes):
            is_text = field.name.startswith("attestation_id_")
            assert mine == (value.encode() if is_text else base64.b64decode(value)), field.name
        else:
            assert mine == int(value), field.name
    origin = theirs.pop("origin", None)
    assert ours.origin == (None if origin is None else _ORIGINS.index(origin))
    root = theirs.pop("rootOfTrust", None)
    assert (ours.root_of_trust is None) == (root is None)
    if root is not None and ours.root_of_trust is not None:
        assert ours.root_of_trust.verified_boot_key == base64.b64decode(root["verifiedBootKey"])
        assert ours.root_of_trust.device_locked is root["deviceLocked"]
        assert ours.root_of_trust.verified_boot_state == _STATES.index(root["verifiedBootState"])
        digest = root.get("verifiedBootHash")
        assert ours.root_of_trust.verified_boot_hash == (None if digest is None else base64.b64decode(digest))
    application = theirs.pop("attestationApplicationId", None)
    assert (ours.attestation_application_id is None) == (application is None)
    if application is not None and ours.attestation_application_id is not None:
        read = read_application_id(ours.attestation_application_id)
        packages = {(package["name"], int(package["version"])) for package in application["packages"]}
        assert {(package.name, package.version) for package in read.packages} == packages
        signatures = {base64.b64decode(signature) for signature in application["signatures"]}
        assert read.certificate_digests == signatures
    assert theirs.pop("areTagsOrdered", True) == ("TAGS_NOT_ASCENDING" not in ours.oddities)
    assert theirs == {}


@pytest.mark.parametrize("name", _READINGS)
def test_a_real_description_reads_as_google_reads_it(assets: Path, name: str) -> None:
    ours, theirs = _read(assets, name), _google_reading(assets, name)
    assert ours.attestation_version == int(theirs["attestationVersion"])
    assert ours.attestation_security_level == _LEVELS.index(theirs["attestationSecurityLevel"])
    assert ours.keymint_version == int(theirs["keyMintVersion"])
    assert ours.keymint_security_level == _LEVELS.index(theirs["keyMintSecurityLevel"])
    assert ours.challenge == base64.b64decode(theirs["attestationChallenge"])
    assert ours.unique_id == base64.b64decode(theirs["uniqueId"])
    _compare_list(ours.software_enforced, theirs["softwareEnforced"])
    _compare_list(ours.hardware_enforced, theirs["hardwareEnforced"])
    assert ours.oddities == frozenset()


def test_every_reading_of_google_is_compared(assets: Path) -> None:
    folder = assets / KEY_FOLDER / _FOLDER
    found = {str(file.relative_to(folder).with_suffix("")) for file in folder.rglob("*.json")}
    # complete_authlist.json is for a description that Google's tests build, not for a certificate.
    assert found == {*_READINGS, "complete_authlist"}


def test_a_single_leaf_with_a_rare_tag(assets: Path) -> None:
    (data,) = read_chain(assets, f"{_FOLDER}/allow_while_on_body")
    at = data.index(bytes.fromhex("060a2b06010401d679020111"))
    wrapped, _ = der.read_prefix(data[at + 12 :])
    description = read_key_description(wrapped.octets())
    assert description.software_enforced.allow_while_on_body
    assert description.attestation_version == 3


def test_oddities_of_real_devices_are_read_and_named(assets: Path) -> None:
    locked = _read(assets, "invalid/malformed_rot_device_locked")
    assert locked.oddities == {"BOOLEAN_NOT_DER"}
    assert locked.hardware_enforced.root_of_trust is not None
    assert locked.hardware_enforced.root_of_trust.device_locked
    assert _read(assets, "invalid/tags_not_in_ascending_order").oddities == {"TAGS_NOT_ASCENDING"}


def test_tags_and_versions_of_tomorrow_are_kept() -> None:
    unknown = explicit(9_999, octets(b"new"))
    description = read_key_description(Description(version=900, hardware_extra=[unknown]).der())
    assert description.attestation_version == 900
    assert description.hardware_enforced.unknown == {9_999: octets(b"new")}
    assert description.attestation_security_level is SecurityLevel.TRUSTED_ENVIRONMENT


def test_false_is_false_however_it_is_written() -> None:
    for locked, value in ((b"\x01\x01\x00", False), (b"\x01\x01\x01", True), (b"\x01\x01\xff", True)):
        description = read_key_description(Description(root_of_trust=RootOfTrust(locked=locked)).der())
        assert description.hardware_enforced.root_of_trust is not None
        assert description.hardware_enforced.root_of_trust.device_locked is value


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: b"",
        lambda data: sequence([data]),
        lambda data: data.replace(enumerated(1), enumerated(3), 1),
        lambda data: data.replace(enumerated(1), integer(1), 1),
        lambda data: sequence([data, octets(bytes(9_000))]),
    ],
    ids=range(7),
)
def test_a_malformed_description_is_refused(spoil: Callable[[bytes], bytes]) -> None:
    with pytest.raises(KeyDescriptionMalformed):
        read_key_description(spoil(Description().der()))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        sequence([]),
        sequence([set_of([]), set_of([]), set_of([])]),
        sequence([set_of([sequence([octets(b"\xff"), integer(1)])]), set_of([])]),
        sequence([set_of([sequence([octets(b"a")])]), set_of([])]),
        sequence([set_of([]), set_of([integer(1)])]),
    ],
    ids=range(6),
)
def test_a_malformed_application_is_refused(data: bytes) -> None:
    with pytest.raises(KeyDescriptionMalformed):
        read_application_id(data)


def test_certificates_issued() -> None:
    assert read_certificates_issued(bytes.fromhex("a10108")) == 8
    assert read_certificates_issued(bytes.fromhex("a301184002f50366476f6f676c65")) == 64
    assert read_certificates_issued(bytes.fromhex("a102f5")) is None


@pytest.mark.parametrize("data", ["", "01", "a10120", "a101f5", "a1016161", "a10108ff", "a201080108"])
def test_malformed_provisioning_information_is_refused(data: str) -> None:
    with pytest.raises(KeyDescriptionMalformed):
        read_certificates_issued(bytes.fromhex(data))


_NUMBERS = (2, 3, 8, 10, 11, 200, 400, 401, 402, 405, 504, 505, 701, 702, 705, 706, 718, 719)
_SETS = (1, 4, 5, 6, 203, 502)
_FLAGS = (7, 303, 305, 503, 506, 507, 508, 509, 600, 703, 720)
_OCTETS = (601, *range(709, 718), 723, 724)


def test_every_tag_that_is_known_is_read_into_a_field_of_its_own() -> None:
    items = {number: explicit(number, integer(number)) for number in _NUMBERS}
    items |= {number: explicit(number, set_of([integer(number), integer(0)])) for number in _SETS}
    items |= {number: explicit(number, b"\x05\x00") for number in _FLAGS}
    items |= {number: explicit(number, octets(b"%d" % number)) for number in _OCTETS}
    items[704] = explicit(704, sequence([octets(b"key"), b"\x01\x01\xff", enumerated(0)]))
    read = read_authorizations(der.read(sequence(items[number] for number in sorted(items))))
    empty = AuthorizationList()
    values = {
        field.name: getattr(read, field.name)
        for field in dataclasses.fields(read)
        if getattr(read, field.name) != getattr(empty, field.name)
    }
    assert len(values) == len(items)
    assert len({repr(value) for value in values.values() if value is not True}) == len(items) - len(_FLAGS)
    assert (read.origin, read.os_patch_level, read.purposes) == (702, 706, frozenset({0, 1}))
    assert read.root_of_trust is not None
    assert read.root_of_trust.verified_boot_hash is None
    assert (read.unknown, read.oddities) == ({}, frozenset())


def test_tags_out_of_order_are_read_and_named() -> None:
    read = read_authorizations(der.read(sequence([explicit(702, integer(0)), explicit(1, set_of([]))])))
    assert read.oddities == {"TAGS_NOT_ASCENDING"}
    assert read.origin == 0


@pytest.mark.parametrize(
    "item",
    [
        explicit(702, integer(0)) + explicit(702, integer(0)),
        explicit(9_999, b"") + explicit(9_999, b""),
        integer(1),
        tlv(b"\x82", b"\x01"),
        explicit(702, octets(b"")),
        explicit(702, b""),
        explicit(702, integer(-1)),
        explicit(706, integer(2**64)),
        explicit(1, set_of([integer(2), integer(2)])),
        explicit(1, sequence([integer(2)])),
        explicit(600, b"\x05\x01a"),
        explicit(709, integer(1)),
        explicit(3, octets(b"")) + explicit(10, octets(b"")),
        explicit(704, sequence([octets(b""), b"\x01\x01\xff"])),
        explicit(704, sequence([octets(b""), b"\x01\x02\xff\xff", enumerated(0)])),
        explicit(704, sequence([octets(b""), integer(1), enumerated(0)])),
    ],
    ids=range(16),
)
def test_a_malformed_list_is_refused(item: bytes) -> None:
    with pytest.raises(KeyDescriptionMalformed):
        read_authorizations(der.read(sequence([item])))


def test_one_malformed_field_that_no_verdict_rests_on_is_named() -> None:
    items = [explicit(1, set_of([integer(2)])), explicit(724, integer(1))]
    read = read_authorizations(der.read(sequence(items)))
    assert (read.module_hash, read.purposes) == (None, frozenset({2}))
    assert read.oddities == {"MALFORMED_MODULE_HASH"}
