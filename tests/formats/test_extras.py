"""Extras that are missing are named with the commands that install them."""

import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from formats.extras import extra_installed, missing_extra, missing_lab

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
    others = (one for one in _PROJECT["optional-dependencies"][extra] if not one.startswith("facegate"))
    packages = " ".join(f'"{package}"' for package in others)
    assert text.endswith(f"`pip install {packages}`")


def _lab_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    version = metadata.version

    def absent(name: str) -> str:
        if name == "facegate-lab":
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", absent)


def test_an_extra_that_needs_the_laboratory_names_it_where_it_is_absent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install = f"`pip install --no-deps facegate-lab=={metadata.version('facegate')}`"
    assert install not in missing_extra("it", "embedded")
    assert extra_installed("embedded")
    _lab_absent(monkeypatch)
    assert install in missing_extra("it", "embedded")
    assert install not in missing_extra("it", "postgres")
    assert install in missing_lab("it")
    assert not extra_installed("embedded")


def test_without_an_installation_pip_gets_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> list[str]:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", absent)
    assert missing_extra("it", "vault").endswith("`pip install facegate[vault]`")
