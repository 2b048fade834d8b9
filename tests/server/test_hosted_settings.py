"""The settings of the server's own scan page."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from server.base.errors import ConfigurationError
from server.configuration.hosted import HostedSettings
from server.configuration.settings import Settings
from server.edge.hosted import HostedPage


def page(**values: Any) -> HostedSettings:
    return HostedSettings.model_validate({"origin": "https://verify.bank.example", "name": "Bank"} | values)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"origin": "http://verify.bank.example"}, "https://"),
        ({"origin": "https://verify.bank.example/scan"}, "origin"),
        ({"name": " "}, "printable"),
        ({"name": "Bank\u202e"}, "printable"),
        ({"color": "#ffcc00"}, "contrast"),
        ({"color": "red"}, "color"),
        ({"links": {"privacy": "javascript:alert(1)"}}, "links"),
        ({"links": {"privacy": "http://bank.example"}}, "links"),
        ({"texts": {"xx": {"title": "x"}}}, "texts"),
        ({"return_urls": ("https://bank.example/done?x=1",)}, "query"),
        ({"return_urls": ("http://bank.example/done",)}, "https://"),
        ({"return_urls": ("https://bank.example:443/done",)}, "browsers"),
        ({"return_urls": ("https://bank.example/a/../b",)}, "part"),
        ({"return_urls": ("bank-app://done",)}, "origin"),
    ],
)
def test_an_unsafe_page_is_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        page(**values)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("listed", "url", "may"),
    [
        ("https://bank.example", "https://bank.example", True),
        ("https://bank.example", "https://bank.example/any/where", True),
        ("https://bank.example", "https://bank.example.evil.example", False),
        ("https://bank.example/", "https://bank.example/done", True),
        ("https://bank.example/a", "https://bank.example/a", True),
        ("https://bank.example/a", "https://bank.example/a/b", True),
        ("https://bank.example/a", "https://bank.example/ab", False),
        ("https://bank.example/a", "https://bank.example/", False),
        ("https://bank.example/a", "https://other.example/a", False),
        ("http://localhost:3000", "http://localhost:3000/done", True),
        ("http://localhost:3000", "http://localhost:30001/done", False),
    ],
)
def test_the_page_returns_below_what_is_listed(listed: str, url: str, may: bool) -> None:
    assert page(return_urls=(listed,)).may_return_to(url) is may


def test_the_page_is_one_of_those_that_may_scan() -> None:
    hosted = {"origin": "https://verify.bank.example", "name": "Bank"}
    alone = Settings.model_validate({"listeners": {"web": {"hosted": hosted}}})
    assert alone.devices.web.origins == ("https://verify.bank.example",)
    assert alone.devices.web.rp_id == "verify.bank.example"
    assert alone.device_integrity.web.origins == ()
    beside = Settings.model_validate(
        {
            "listeners": {"web": {"hosted": hosted}},
            "device_integrity": {"web": {"rp_id": "bank.example", "origins": ["https://bank.example"]}},
        }
    )
    assert beside.devices.web.origins == ("https://bank.example", "https://verify.bank.example")
    assert beside.devices.web.rp_id == "bank.example"
    with pytest.raises(ValidationError, match=r"listeners\.web\.hosted"):
        Settings.model_validate({"listeners": {"web": {}}})


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"GIF89a", "neither"), (b"\x89PNG\r\n\x1a\n" + bytes(262_144), "256 KiB"), (None, "cannot be read")],
)
def test_a_logo_is_a_small_png_or_svg(tmp_path: Path, content: bytes | None, said: str) -> None:
    logo = tmp_path / "logo"
    if content is not None:
        logo.write_bytes(content)
    with pytest.raises(ConfigurationError, match=said):
        HostedPage(page(logo_file=logo), tls=True)
