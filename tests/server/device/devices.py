"""Simulated phones and browsers over the real protocol, and Apple's receipt server, under test roots."""

import base64
import functools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, cast

import grpc.aio
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from facegate.v1 import device_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from joserfc import jwt
from joserfc.jwk import ECKey

from device_integrity.apple import Environment, parse_receipt
from facegate_client import Attestor, CameraDescription, FaceScanner, ScanOutcome, ScanTicket
from facegate_client import ScanSettings as ClientSettings
from facegate_client.frame_source import CapturedImage, Pace
from facegate_protocol import attestation_message, public_key_der, sign
from lab.simulator.devices.app_attest import AppAttestKey
from lab.simulator.phone import SimulatedPhone
from server.configuration.settings import Settings
from server.device.revocation import write_revocation_files
from server.running.assembly import Tuning
from tests.device_integrity.android import phones
from tests.device_integrity.apple import apple_in_software as apples
from tests.device_integrity.apple.apple_in_software import APP, SoftwareApple
from tests.device_integrity.web import authenticator_in_software as browsers
from tests.server.flash_phone import in_step
from tests.server.live import FAST, LiveServer, Picture, fresh_pictures, pictures, serving, settings_for
from tests.server.private_files import private

# Apple's receipt server for App Attest, played by a real HTTP server under a test root.

KEY_ID, TEAM_ID = "ABCDEFGHIJ", "TEAM123456"


@dataclass
class ReceiptServer:
    """The answers of the server, and the requests that it received.

    Attributes:
        keys: The known App Attest keys, by SubjectPublicKeyInfo.
        body: Replaces the receipt.
        credentials: Verifies the requests' tokens.
    """

    apple: SoftwareApple
    now: Callable[[], datetime]
    url: str = ""
    keys: dict[bytes, AppAttestKey] = field(default_factory=dict)
    risk_metric: int = 1
    status: int = 200
    body: bytes | None = None
    asked: list[bytes] = field(default_factory=list)
    credentials: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256"))

    def know(self, key: AppAttestKey) -> None:
        """Make the server exchange receipts of a key."""
        self.keys[key.public_key] = key

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one exchange."""
        body = await request.read()
        self.asked.append(body)
        token = jwt.decode(request.headers["Authorization"], self.credentials, algorithms=["ES256"])
        assert token.header["kid"] == KEY_ID
        assert token.claims.keys() == {"iss", "iat"}
        assert token.claims["iss"] == TEAM_ID
        assert abs(token.claims["iat"] - self.now().timestamp()) < 60.0
        if self.status != 200:
            return web.Response(status=self.status, headers={"Location": f"{self.url}/elsewhere"})
        if self.body is not None:
            return web.Response(body=self.body)
        old = parse_receipt(base64.b64decode(body, validate=True)).receipt
        if old.public_key not in self.keys:
            return web.Response(status=404)
        new = self.apple.receipt(
            self.keys[old.public_key], app_id=APP, made=self.now(), risk_metric=self.risk_metric
        )
        return web.Response(body=base64.b64encode(new) + b"\n")


@asynccontextmanager
async def playing_apple(
    apple: SoftwareApple, now: Callable[[], datetime], *, at: str | None = None
) -> AsyncIterator[ReceiptServer]:
    """Play Apple on its own port; servers of this process ask it, or what is ``at`` another address."""
    server = ReceiptServer(apple, now)
    application = web.Application()
    application.router.add_post("/v1/attestationData", server.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}"
    with pytest.MonkeyPatch.context() as patch:
        asked = dict.fromkeys(Environment, at or server.url)
        patch.setattr("server.device.apple_receipts._SERVERS", asked)
        try:
            yield server
        finally:
            await runner.cleanup()


def write_key(server: ReceiptServer, folder: Path) -> Path:
    """Write the key file of the developer account."""
    return private(folder / "AuthKey.p8", server.credentials.as_pem(private=True))


# Simulated phones and browsers that scan over the real protocol, under test roots.

APPLE = apples.SoftwareApple()
"""The phone whose certificates are valid around ``apples.NOW``."""

ANDROID = device_pb2.DeviceProfile(
    platform=device_pb2.PLATFORM_ANDROID,
    manufacturer="Google",
    model="Pixel 9",
    os_version="16",
    app_id=phones.PACKAGE,
)
IPHONE = device_pb2.DeviceProfile(
    platform=device_pb2.PLATFORM_IOS,
    manufacturer="Apple",
    model="iPhone17,3",
    os_version="19.0",
    app_id="org.example.bank",
)
PAGE = device_pb2.DeviceProfile(
    platform=device_pb2.PLATFORM_WEB, manufacturer="Linux", model="Firefox", app_id=browsers.ORIGIN
)
_CAMERA = device_pb2.CameraProfile(
    id="1",
    label="front camera",
    facing=device_pb2.CAMERA_FACING_FRONT,
    width=480,
    height=360,
    sensor_orientation_degrees=270,
)

_LEVELS = {device_pb2.PLATFORM_ANDROID: "LEVEL_3", device_pb2.PLATFORM_IOS: "builtInTrueDepthCamera"}

_OBSERVED = {"device": "required", "camera": "required", "stream": "required", "contradiction": "required"}


def device_settings(folder: Path, receipts: ReceiptServer | None = None) -> Settings:
    """Return the settings of a server whose sandbox checks trust the test devices.

    Args:
        folder: The folder for its data.
        receipts: Plays Apple's receipt server; ``None`` if no receipts are exchanged.
    """
    revocation = folder / "status.json"
    listed = b'{"entries": {"ab": {"status": "REVOKED"}}}'
    write_revocation_files(revocation, listed, fetched_at=phones.NOW)
    root = folder / "apple.pem"
    root.write_bytes(APPLE.root.certificate.public_bytes(Encoding.PEM))
    receipt_root = folder / "apple_receipts.pem"
    receipt_root.write_bytes(APPLE.receipts.root.certificate.public_bytes(Encoding.PEM))
    settings = settings_for(folder)
    return settings.model_copy(
        update={
            "policies": settings.policies.model_copy(update={"default": "advisory"}),
            "device_integrity": type(settings.device_integrity).model_validate(
                {
                    "android": {
                        "apps": [
                            {"package": phones.PACKAGE, "certificate_sha256": [phones.APP_DIGEST.hex()]}
                        ],
                        "revocation_file": revocation,
                    },
                    "apple": {"app_ids": [apples.APP]}
                    | (
                        {}
                        if receipts is None
                        else {
                            "receipts": {
                                "key_file": write_key(receipts, folder),
                                "key_id": KEY_ID,
                                "team_id": TEAM_ID,
                            }
                        }
                    ),
                    "web": {"rp_id": browsers.RP_ID, "origins": [browsers.ORIGIN]},
                    "test_roots": {
                        "android_spki_sha256": [
                            phones.trust(phones.factory_phone())[0].spki_sha256.hex(),
                            phones.trust(phones.remote_phone())[0].spki_sha256.hex(),
                        ],
                        "apple_certificate": root,
                        "apple_receipt_certificate": receipt_root,
                    },
                }
            ),
        }
    )


def write_device_policy(
    folder: Path,
    name: str,
    rows: dict[str, dict[str, str]],
    *,
    assurance: str = "NONE",
    grace: int = 5,
    evidence_seconds: int = 86_400,
    mode: str = "EXPRESS",
) -> None:
    """Write a policy that demands observations on every platform that it names."""
    tables = "".join(
        f"[device.demands.{platform}]\n"
        + "".join(f'{evidence} = "{word}"\n' for evidence, word in (_OBSERVED | row).items())
        for platform, row in rows.items()
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.toml").write_text(
        f'name = "{name}"\nversion = 1\ndescription = "For tests."\nmode = "{mode}"\n'
        "[match]\nmax_fmr = 1e-2\n[liveness]\nlive_threshold = 60.0\nspoof_threshold = 30.0\n"
        f'[device]\nminimum_assurance = "{assurance}"\n{tables}'
        f"[deadlines]\nattestation_grace_seconds = {grace}\nattempt_seconds = 20\nidle_seconds = 60\n"
        f"[retention]\nevidence_seconds = {evidence_seconds}\naudit_images = 0\n"
    )


@asynccontextmanager
async def believing_server(
    folder: Path, *, tuning: Tuning = FAST, receipts: ReceiptServer | None = None
) -> AsyncIterator[LiveServer]:
    """A server that trusts the test devices, at their time, with policies of different demands."""
    android = {"android": {"android_key": "required"}}
    all_of_them = android | {"ios": {"app_attest": "required"}, "web": {"web_key": "required"}}
    policies = folder / "policies"
    write_device_policy(policies, "attested", all_of_them, assurance="LOW")
    write_device_policy(policies, "graceless", all_of_them, assurance="LOW", grace=1)
    write_device_policy(policies, "patient", all_of_them, assurance="LOW", grace=90)
    write_device_policy(policies, "hardware", all_of_them, assurance="MEDIUM")
    write_device_policy(policies, "advisory", {"android": {}, "ios": {}, "web": {}, "desktop": {}})
    write_device_policy(policies, "without-play", {"android": {"play_integrity": "ignored"}})
    write_device_policy(policies, "without-apple", {"ios": {"app_attest": "ignored"}})
    phones_of_both = android | {"ios": {"app_attest": "required"}}
    write_device_policy(policies, "highest", phones_of_both, assurance="HIGH", mode="DYNAMIC")
    write_device_policy(policies, "forgetful", android, evidence_seconds=0)
    async with serving(device_settings(folder, receipts), tuning=tuning) as server:
        at_time(server, phones.NOW)
        yield server


def at_time(live: LiveServer, moment: datetime) -> None:
    """Set the server's wall clock."""
    live.clock.ahead = moment - datetime.now(UTC)


@dataclass
class AndroidAttestor:
    """The keystore of an Android phone.

    Attributes:
        description: The description that the keystore writes, before the challenge is inserted.
        challenge: Replaces the stream's binding hash.
        made: The number of attestations made.
    """

    phone: phones.Phone = field(default_factory=phones.factory_phone)
    description: phones.Description = field(default_factory=phones.Description)
    challenge: bytes | None = None
    made: int = 0

    async def attest(self, *, binding: bytes) -> AsyncIterator[device_pb2.Attestation]:
        self.made += 1
        description = replace(self.description, challenge=self.challenge or binding)
        key, chain = self.phone.attest(description)
        yield device_pb2.Attestation(
            android_key=device_pb2.AndroidKeyAttestation(
                certificate_chain=phones.der_chain(chain),
                signature=sign(key, attestation_message(binding=binding)),
            )
        )


@dataclass
class AppleAttestor:
    """An iPhone that enrols its key at first use, and makes assertions with it afterwards.

    Attributes:
        key: Its App Attest key.
        counter: The counter of its next assertion; ``None`` before the key is enrolled.
    """

    key: apples.SoftwareKey = field(default_factory=apples.SoftwareKey)
    counter: int | None = None

    async def attest(self, *, binding: bytes) -> AsyncIterator[device_pb2.Attestation]:
        if self.counter is None:
            self.counter = 1
            made = device_pb2.AppAttestAttestation(
                key_id=self.key.key_id, attestation_object=APPLE.enrolment(self.key, binding)
            )
            yield device_pb2.Attestation(app_attest=made)
            return
        assertion = self.key.assertion(binding, counter=self.counter)
        self.counter += 1
        yield device_pb2.Attestation(
            app_attest_assertion=device_pb2.AppAttestAssertion(key_id=self.key.key_id, assertion=assertion)
        )


@dataclass
class WebCryptoAttestor:
    """A browser with a key that its scripts cannot read."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    origin: str = browsers.ORIGIN

    async def attest(self, *, binding: bytes) -> AsyncIterator[device_pb2.Attestation]:
        yield device_pb2.Attestation(
            web_crypto=device_pb2.WebCryptoEvidence(
                public_key=public_key_der(self.key.public_key()),
                signature=sign(self.key, attestation_message(binding=binding)),
                origin=self.origin,
            )
        )


@dataclass
class PlayAttestor:
    """A phone that sends only a Play Integrity token."""

    token: str = "not to be opened"

    async def attest(self, *, binding: bytes) -> AsyncIterator[device_pb2.Attestation]:
        del binding
        kind = device_pb2.PlayIntegrityToken.KIND_STANDARD
        yield device_pb2.Attestation(
            play_integrity=device_pb2.PlayIntegrityToken(token=self.token, kind=kind)
        )


class _Pictures:
    """Plays images like a camera; implements ``facegate_client.FrameSource``."""

    camera = CameraDescription(label="front camera", width=360, height=480, frames_per_second=10.0)
    pace: Pace = "fast"

    def __init__(self, shown: Sequence[Picture]) -> None:
        self._shown = list(fresh_pictures(shown))

    def begin_attempt(self) -> None:
        return

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> CapturedImage:
        if not self._shown:
            raise StopAsyncIteration
        picture = self._shown.pop(0)
        return CapturedImage(image=picture.jpeg, capture_time_us=picture.time_us + 1)

    async def aclose(self) -> None:
        return


class _FromPage:
    """A channel whose streams carry a browser's ``Origin``."""

    def __init__(self, channel: grpc.aio.Channel, origin: str) -> None:
        self._channel, self._origin = channel, origin

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)

    def stream_stream(self, *args: Any, **kwargs: Any) -> Any:
        made = self._channel.stream_stream(*args, **kwargs)
        return functools.partial(made, metadata=(("origin", self._origin),))


def _channel(live: LiveServer, header_origin: str | None) -> grpc.aio.Channel:
    if header_origin is None:
        return live.device_channel
    return cast("grpc.aio.Channel", _FromPage(live.device_channel, header_origin))


def camera_of(profile: device_pb2.DeviceProfile) -> device_pb2.CameraProfile:
    """Return the claims of an honest device of a platform about its front camera."""
    camera = device_pb2.CameraProfile()
    camera.CopyFrom(_CAMERA)
    camera.hardware_level = _LEVELS.get(profile.platform, "")
    return camera


async def scan(
    live: LiveServer,
    upload: service_pb2.UploadTrustedImageResponse,
    profile: device_pb2.DeviceProfile,
    attestor: Attestor | None,
    *,
    shown: Sequence[Picture] | None = None,
    flash: SimulatedPhone | None = None,
    header_origin: str | None = None,
    findings: device_pb2.RuntimeFindings | None = None,
) -> ScanOutcome:
    """Run one scan with the reference client.

    Args:
        profile: The device's claims about itself.
        attestor: Makes its evidence.
        shown: The images of its camera.
        flash: A phone whose screen flashes, with its own camera.
        header_origin: The page's ``Origin`` as a proxy passes it on.
        findings: The run-time findings that its app reports.
    """
    scanner = FaceScanner(
        channel=_channel(live, header_origin),
        ticket=ScanTicket(token=upload.scan_token, challenge_key_sha256=upload.challenge_key_sha256),
        source=flash or _Pictures(pictures() if shown is None else shown),
        screen=flash,
        profile=profile,
        camera=camera_of(profile),
        attestor=attestor,
        runtime_findings=findings,
        settings=ClientSettings(max_attempts=1),
    )
    with nullcontext() if flash is None else in_step():
        return await scanner.scan()
