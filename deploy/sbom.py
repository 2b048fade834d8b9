"""Writes the bill of materials and the table of licences: ``make sbom``.

``facegate.cdx.json`` is a CycloneDX bill of materials: the distributions of this repository, the packages
that a lock file pins for this system and this Python, the npm packages that the browser SDK contains and that
``@facegate/server`` installs, and all models of the catalogue. ``licences.md`` is a table of their
licences; those of Python packages are read from what is installed here.
"""

import argparse
import importlib.metadata
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any, Final, cast

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from packageurl import PackageURL
from packaging.markers import Marker

from deploy.version import own_version

_ROOT: Final = Path(__file__).parents[1]
_PIN: Final = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)(?: ; (?P<marker>.+?))?(?: \\)?$"
)
_HASH: Final = re.compile(r"--hash=sha256:(?P<digest>[0-9a-f]{64})")
_CLASSIFIER: Final = "License :: OSI Approved :: "
_LONGEST: Final = 80
_UNKNOWN: Final = "not stated in the package"
_NOT_HERE: Final = "not known: not installed where this was written"
_OWN: Final = ("facegate-client", "facegate-protocol")
_BUNDLED: Final = ("@bufbuild/protobuf", "preact", "uplot")
"""The npm packages whose code is in the builds of the browser SDK, of the pages of ``facegate try`` and of
the console."""


@dataclass(frozen=True, slots=True)
class ListedPackage:
    """A package of the bill of materials.

    Attributes:
        name: Its name; that of an npm package begins with its scope.
        sha256: SHA-256 of each of its files, as hexadecimal digits.
        licence: Its licence, as the package states it.
        registry: ``pypi`` or ``npm``.
    """

    name: str
    version: str
    sha256: tuple[str, ...]
    licence: str
    registry: str = "pypi"


def locked_packages(lock: str) -> tuple[ListedPackage, ...]:
    """Return the packages that a lock file pins for this system and this Python, in its order.

    Each has the version that the lock file pins, also where another one, or none, is installed.
    """
    found: list[tuple[str, str, list[str]]] = []
    hashes: list[str] = []
    for line in lock.splitlines():
        pin = _PIN.match(line)
        if pin is not None:
            hashes = []
            if pin["marker"] is None or Marker(pin["marker"]).evaluate():
                found.append((pin["name"], pin["version"], hashes))
        elif (digest := _HASH.search(line)) is not None:
            hashes.append(digest["digest"])
    return tuple(
        ListedPackage(name, version, tuple(hashes), _licence(name)) for name, version, hashes in found
    )


def own_packages() -> tuple[ListedPackage, ...]:
    """Return the distributions of this repository that ``facegate`` needs."""
    return tuple(ListedPackage(name, own_version(), (), _licence(name)) for name in _OWN)


def bundled_packages() -> tuple[ListedPackage, ...]:
    """Return the npm packages that built pages contain, as their lock file pins them."""
    locked = _npm_lock()
    return tuple(_npm_package(name, locked[f"node_modules/{name}"]) for name in _BUNDLED)


def installed_packages() -> tuple[ListedPackage, ...]:
    """Return the npm packages that ``@facegate/server`` brings into a backend, as its lock pins them."""
    return tuple(
        _npm_package(path.rpartition("node_modules/")[2], one)
        for path, one in _npm_lock().items()
        # What the pages bundle is for development only: nobody installs it.
        if "node_modules/" in path and not (one.get("dev") or one.get("link"))
    )


def bill_of_materials(packages: tuple[ListedPackage, ...], models: tuple[Mapping[str, Any], ...]) -> str:
    """Return the bill of materials as CycloneDX 1.6, JSON.

    Args:
        models: The models, as ``vision/packs/catalogue.toml`` describes them.

    Raises:
        ValueError: The result violates the schema, which is a defect of this program.
    """
    bom = Bom()
    bom.metadata.component = Component(
        name="facegate", version=own_version(), type=ComponentType.APPLICATION, bom_ref="facegate"
    )
    for package in packages:
        bom.components.add(
            Component(
                name=package.name,
                version=package.version,
                type=ComponentType.LIBRARY,
                bom_ref=f"{package.registry}/{package.name}",
                purl=_purl(package),
                licenses=[DisjunctiveLicense(name=package.licence)],
                # A package has one file for each platform, and a component has one hash of a kind.
                properties=[Property(name="facegate:file_sha256", value=digest) for digest in package.sha256],
            )
        )
    for model in models:
        bom.components.add(_model(model))
    bom.register_dependency(bom.metadata.component, bom.components)
    text = JsonV1Dot6(bom).output_as_string(indent=2)
    # Imported here: its grammars take seconds to build.
    from cyclonedx.validation.json import JsonStrictValidator

    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if problem is not None:
        raise ValueError(f"the bill of materials violates CycloneDX 1.6: {problem}")
    return text + "\n"


def licences_page(packages: tuple[ListedPackage, ...], models: tuple[Mapping[str, Any], ...]) -> str:
    """Return the licences of packages and models as two tables in Markdown."""
    lines = ["# Licences\n\n## Packages\n\n| Package | Version | Licence |\n| --- | --- | --- |\n"]
    lines += [f"| {one.name} | {one.version} | {one.licence} |\n" for one in packages]
    lines.append(
        "\n## Models\n\nFacegate contains none; `facegate models pull` fetches them.\n\n"
        "| File | Source | Weights | Training data |\n| --- | --- | --- | --- |\n"
    )
    lines += [
        f"| {model['names'][0]} | {model['source']} | {model['weights']} | {model['training_data']} |\n"
        for model in models
    ]
    return "".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Write both files into the folder ``--out``, and print their paths.

    Args:
        arguments: The command's arguments; None for those of the process.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--lock", type=Path, default=_ROOT / "deploy" / "requirements" / "cpu.lock", help="lock file"
    )
    parser.add_argument("--out", type=Path, default=Path("sbom"), help="folder for the files")
    chosen = parser.parse_args(arguments)
    npm = dict.fromkeys((*bundled_packages(), *installed_packages()))
    packages = (*own_packages(), *locked_packages(chosen.lock.read_text()), *npm)
    models = tuple(_models())
    chosen.out.mkdir(parents=True, exist_ok=True)
    bom, page = chosen.out / "facegate.cdx.json", chosen.out / "licences.md"
    bom.write_text(bill_of_materials(packages, models))
    page.write_text(licences_page(packages, models))
    print(f"{bom} and {page}: {len(packages)} packages, {len(models)} models")


def _models() -> Iterator[Mapping[str, Any]]:
    catalogue = tomllib.loads((_ROOT / "vision" / "packs" / "catalogue.toml").read_text())
    yield from catalogue["model"]


def _model(model: Mapping[str, Any]) -> Component:
    references = []
    if "url" in model:
        references.append(ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=XsUri(model["url"])))
    return Component(
        name=model["names"][0],
        version=model["sha256"],
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=f"model/{model['sha256']}",
        description=f"{model['role']}: {model['source']}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=model["sha256"])],
        licenses=[DisjunctiveLicense(name=model["weights"])],
        external_references=references,
        properties=[Property(name="facegate:training_data", value=model["training_data"])],
    )


def _npm_lock() -> dict[str, Any]:
    """The packages of the npm workspace's lock file, by their path."""
    lock = json.loads((_ROOT / "web" / "package-lock.json").read_text())
    packages: dict[str, Any] = lock["packages"]
    return packages


def _npm_package(name: str, locked: Mapping[str, Any]) -> ListedPackage:
    return ListedPackage(name, locked["version"], (), locked["license"].strip("()"), "npm")


def _purl(package: ListedPackage) -> PackageURL:
    scope, _, name = package.name.rpartition("/")
    return PackageURL(package.registry, scope or None, name, package.version)


def _licence(name: str) -> str:
    try:
        # The stubs give the metadata a protocol of its own; it is a message.
        metadata = cast("Message", importlib.metadata.distribution(name).metadata)
    except importlib.metadata.PackageNotFoundError:
        return _NOT_HERE
    expression = metadata.get("License-Expression")
    if expression:
        return str(expression)
    named = [
        classifier.removeprefix(_CLASSIFIER)
        for classifier in metadata.get_all("Classifier", [])
        if classifier.startswith(_CLASSIFIER)
    ]
    if named:
        return "; ".join(sorted(named))
    # Some packages put the whole text of their licence there.
    lines = str(metadata.get("License") or "").strip().splitlines()
    return lines[0][:_LONGEST] if lines else _UNKNOWN


if __name__ == "__main__":
    main()
