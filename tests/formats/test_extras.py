"""Extras that are missing are named with the commands that install them."""

import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from formats.extras import missing_extra

_PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize(
    "extra",
    ["aws-kms", "embedded", "evaluation", "otlp", "play-integrity", "postgres", "timestamps", "vault"],
)
def test_what_needs_it_the_extra_and_both_commands_are_named(
    extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stated = [f'{package}; extra == "{extra}"' for package in _PROJECT["optional-dependencies"][extra]]
    monkeypatch.setattr(
        metadata, "requires", lambda name: ["numpy>=2.2", *stated, 'torch; extra == "training"']
    )
    text = missing_extra("the thing", extra)
    assert text.startswith(f"the thing needs the extra {extra}, which is not installed: ")
    assert f"`make install EXTRAS={extra}`" in text
    packages = " ".join(f'"{package}"' for package in _PROJECT["optional-dependencies"][extra])
    assert text.endswith(f"`pip install {packages}`")


def test_without_an_installation_pip_gets_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> list[str]:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", absent)
    assert missing_extra("it", "vault").endswith("`pip install facegate[vault]`")
