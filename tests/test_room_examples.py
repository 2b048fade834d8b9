"""The example in the docstring of each package runs with the stated output."""

import textwrap
import time
from functools import partial
from importlib import import_module
from typing import Any

import pytest

from attempt import persons_of
from attempt.frame import DecodedFrame
from formats.image_format import ImageFormat
from matcher import SCAN_SUBJECT, PortraitPolicy, accept_portrait
from tests.attempt.capturing import frame_of
from tests.device_integrity.web.authenticator_in_software import Authenticator, client_data
from tests.server.live import Picture, pictures, portrait
from tests.server.models_once import remembering_pack
from vision.image import DecodeLimits, decode_image

_BINDING = bytes(range(32))


def _run(room: str, capsys: pytest.CaptureFixture[str], **names: Any) -> str:
    """Run the only literal block of the docstring that begins with an import; return its output."""
    text = import_module(room).__doc__
    assert text is not None
    code = textwrap.dedent(text.partition("::\n")[2].replace("\n\n    ", "\n    "))
    assert code.lstrip().startswith(("import", "from"))
    exec(compile(code, f"example of {room}", "exec"), names)  # noqa: S102  # our own docstring
    return capsys.readouterr().out


def _upright(picture: Picture) -> Any:
    return decode_image(
        picture.jpeg,
        limits=DecodeLimits(max_bytes=5_000_000, max_pixels=12_000_000, max_side=6_000),
        formats=frozenset({ImageFormat.JPEG}),
        honour_exif_orientation=False,
    ).pixels


def test_the_example_of_vision_runs(capsys: pytest.CaptureFixture[str]) -> None:
    out = _run("vision", capsys, pack=remembering_pack(), upload=portrait())
    assert out.endswith(" (128,)\n")


def test_the_example_of_matcher_runs(capsys: pytest.CaptureFixture[str]) -> None:
    frame = _upright(pictures()[0])
    out = _run("matcher", capsys, pack=remembering_pack(), trusted_image=portrait(), frame=frame)
    assert out.startswith("True ")


def test_liveness(capsys: pytest.CaptureFixture[str]) -> None:
    frames = [DecodedFrame(_upright(picture)) for picture in pictures()]
    find_persons = partial(persons_of, pack=remembering_pack(), rule=SCAN_SUBJECT)
    out = _run("liveness", capsys, find_persons=find_persons, frames=frames)
    assert out.startswith("LIVE ")


def test_the_example_of_attempt_runs(capsys: pytest.CaptureFixture[str]) -> None:
    pack, shown = remembering_pack(), list[Any]()
    out = _run(
        "attempt",
        capsys,
        pack=pack,
        frames=[
            frame_of(index, image=picture.jpeg, capture_time_us=picture.time_us + 1)
            for index, picture in enumerate(pictures())
        ],
        portrait=accept_portrait(portrait(), pack=pack, policy=PortraitPolicy()),
        clock=time.monotonic,
        show=shown.append,
    )
    assert out == "LIVE True\n"
    assert shown


@pytest.mark.parametrize(("sent", "printed"), [(_BINDING, "every test passed"), (bytes(32), "challenge")])
def test_the_example_of_device_integrity_runs(
    capsys: pytest.CaptureFixture[str], sent: bytes, printed: str
) -> None:
    authenticator = Authenticator()
    browser = client_data(sent, kind="webauthn.create", origin="https://verify.bank.example")
    out = _run(
        "device_integrity",
        capsys,
        credential_id=authenticator.credential_id,
        client_data_json=browser,
        attestation_object=authenticator.attestation(browser, authenticator.data(attested=True)),
        binding_hash=_BINDING,
    )
    assert printed in out
