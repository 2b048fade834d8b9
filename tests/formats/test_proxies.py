"""The name of a proxy of the environment, in errors."""

import pytest

from formats.proxies import grpc_proxy_named, proxy_named

_NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("variable", ["https_proxy", "HTTPS_PROXY"])
@pytest.mark.parametrize("proxy", ["http://anna:sec@ret@{}/x", "anna:s@{}"])
def test_a_proxy_is_named_without_user_and_password(
    variable: str, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, proxy.format("proxy.bank.example:3128"))
    assert proxy_named("https://issuer.example/realm") == (
        f" through the proxy proxy.bank.example:3128, which {variable} names"
    )


def test_only_a_proxy_that_is_taken_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert proxy_named("https://issuer.example") == ""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.bank.example:3128")
    monkeypatch.setenv("NO_PROXY", "issuer.example")
    assert proxy_named("https://issuer.example") == proxy_named("http://other.example") == ""
    assert "proxy.bank.example" in proxy_named("https://other.example")


def test_a_proxy_for_all_is_taken_by_some_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy.bank.example:3128")
    assert proxy_named("https://issuer.example") == ""
    assert proxy_named("https://issuer.example", or_all=True).endswith("which ALL_PROXY names")


def test_grpc_reads_small_letters_and_its_own_variable_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://capital.bank.example:3128")
    monkeypatch.setenv("http_proxy", "http://plain.bank.example:3128")
    assert grpc_proxy_named("collector.example").startswith(" through the proxy plain.bank.example:3128")
    monkeypatch.setenv("grpc_proxy", "http://user:secret@own.bank.example:3128/")
    assert grpc_proxy_named("collector.example") == (
        " through the proxy own.bank.example:3128, which grpc_proxy names"
    )
    monkeypatch.setenv("no_proxy", "elsewhere.example,.example")
    assert grpc_proxy_named("collector.example") == ""
    monkeypatch.setenv("no_grpc_proxy", "elsewhere.example")
    assert grpc_proxy_named("collector.example") != ""
