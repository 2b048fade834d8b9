"""Targets of the fuzzer: a name, valid inputs, a function for each case, and its limits."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from tests.fuzz import (
    device_targets,
    image_targets,
    record_targets,
    secret_targets,
    text_targets,
    wire_targets,
)

_LIGHT_SECONDS = 0.5
_DECODER_SECONDS = 2.0
_LIGHT_BYTES = 32_000_000
_DECODER_BYTES = 128_000_000


@dataclass(frozen=True, slots=True)
class Target:
    """Code that reads untrusted bytes.

    Attributes:
        name: Its name on the command line.
        seeds: Makes its valid inputs.
        read: Reads one input; every exception that it raises is a defect.
        cases: Number of cases of the slow test; `python -m tests.fuzz --count` runs more.
        seconds: Processor time that one case may take.
        bytes: Limit of the rise of the process's peak memory by one case.
    """

    name: str
    seeds: Callable[[], Sequence[bytes]]
    read: Callable[[bytes], None]
    cases: int
    seconds: float = _LIGHT_SECONDS
    bytes: int = _LIGHT_BYTES


def _decoder(
    name: str,
    seeds: Callable[[], Sequence[bytes]],
    cases: int,
    read: Callable[[bytes], None] = image_targets.decode_any,
) -> Target:
    return Target(name, seeds, read, cases, seconds=_DECODER_SECONDS, bytes=_DECODER_BYTES)


_ALL = (
    Target("image-header", image_targets.every_seed, image_targets.read_header, 7_500),
    _decoder("code-stream", image_targets.code_stream_seeds, 2_500, image_targets.follow_code_stream),
    Target("exif", image_targets.exif_seeds, image_targets.read_exif, 5_000),
    Target("facial-record-2005", record_targets.seeds_2005, record_targets.read_2005, 7_500),
    Target("facial-record-2011", record_targets.seeds_2011, record_targets.read_2011, 7_500),
    Target("facial-record-39794", record_targets.seeds_39794, record_targets.read_39794, 7_500),
    Target("dg2", record_targets.dg2_seeds, record_targets.read_dg2, 7_500),
    Target("trusted-image", record_targets.every_seed, record_targets.read_any, 5_000),
    _decoder("png", image_targets.png_seeds, 7_500),
    _decoder("jpeg", image_targets.jpeg_seeds, 7_500),
    _decoder("other-images", image_targets.other_seeds, 1_250),
    _decoder("video", image_targets.video_seeds, 1_250, image_targets.decode_video),
    Target("messages", wire_targets.every_message_seed, wire_targets.parse_every_message, 2_500),
    Target("scan-codec", wire_targets.scan_seeds, wire_targets.read_scan_request, 12_500),
    Target("service-requests", wire_targets.service_seeds, wire_targets.serve_request, 1_250),
    Target("analysis-upload", wire_targets.upload_seeds, wire_targets.read_upload, 2_500),
    Target("transcript", wire_targets.transcript_seeds, wire_targets.follow_transcript, 7_500),
    Target("start", wire_targets.start_seeds, wire_targets.check_a_start, 2_500),
    Target("public-key", secret_targets.key_seeds, secret_targets.load_a_key, 2_500),
    Target("token", secret_targets.token_seeds, secret_targets.read_token, 3_750),
    Target("seal", secret_targets.seal_seeds, secret_targets.open_seal, 2_500),
    Target("android-chain", device_targets.chain_seeds, device_targets.verify_chain, 1_250),
    Target("key-description", device_targets.description_seeds, device_targets.read_description, 7_500),
    Target("play-token", device_targets.play_seeds, device_targets.read_play, 2_500),
    Target("revocation-list", device_targets.revocation_seeds, device_targets.read_revocation, 2_500),
    Target("result-jws", secret_targets.jws_seeds, secret_targets.verify_jws, 2_500),
    Target("jwks", secret_targets.jwks_seeds, secret_targets.read_jwks, 2_500),
    Target("policy", text_targets.policy_seeds, text_targets.read_policy, 1_250),
    Target("settings", text_targets.settings_seeds, text_targets.read_settings, 250),
    Target("api-keys", text_targets.api_key_seeds, text_targets.read_api_keys, 625),
    Target("image-reference", text_targets.reference_seeds, text_targets.follow_reference, 5_000),
    Target("catalogue", text_targets.catalogue_seeds, text_targets.read_catalogue, 375),
    Target("calibration", text_targets.calibration_seeds, text_targets.read_calibration, 1_000),
    Target("cbor", device_targets.cbor_seeds, device_targets.read_cbor, 7_500),
    Target("app-attest", device_targets.attestation_seeds, device_targets.judge_attestation, 2_500),
    Target("app-attest-assertion", device_targets.assertion_seeds, device_targets.judge_assertion, 2_500),
    Target("app-attest-receipt", device_targets.receipt_seeds, device_targets.judge_receipt, 2_500),
    Target(
        "web-authn-registration", device_targets.web_authn_seeds, device_targets.judge_registration, 2_500
    ),
    Target("web-authn-use", device_targets.authentication_seeds, device_targets.judge_authentication, 1_250),
    Target("attest-inspect", device_targets.inspected_seeds, device_targets.inspect_any, 1_250),
    Target("fusion-model", text_targets.fusion_seeds, text_targets.read_fusion_model, 1_000),
    Target("flash-model", text_targets.flash_seeds, text_targets.read_flash_model, 1_000),
)

TARGETS: Mapping[str, Target] = MappingProxyType({target.name: target for target in _ALL})
"""Every target by name."""
