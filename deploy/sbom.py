"""Writes the bill of materials and the table of licences: ``make sbom``.

``facegate.cdx.json`` is a CycloneDX bill of materials: the packages that a lock file pins and that are
installed here, and every model of the catalogue. ``licences.md`` is a table of their licences.
"""

import argparse
import importlib.metadata
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

__all__ = ["LockedPackage", "bill_of_materials", "licences_page", "locked_packages", "main"]

_ROOT: Final = Path(__file__).parents[1]
_PIN: Final = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)(?: ; (?P<marker>.+?))?(?: \\)?$"
)
_HASH: Final = re.compile(r"--hash=sha256:(?P<digest>[0-9a-f]{64})")
_CLASSIFIER: Final = "License :: OSI Approved :: "
_LONGEST: Final = 80
_UNKNOWN: Final = "not stated in the package"


@dataclass(frozen=True, slots=True)
class LockedPackage:
    """A package that a lock file pins and that is installed here.

    Attributes:
        name: Its name.
        version: Its version.
        sha256: SHA-256 of each of its files, as hexadecimal digits.
        licence: Its licence, as the installed package states it.
    """

    name: str
    version: str
    sha256: tuple[str, ...]
    licence: str


def locked_packages(lock: str) -> tuple[LockedPackage, ...]:
    """Returns the packages of a lock file that are installed here, in its order.

    Packages that the lock file pins only for other platforms or Python versions are left out, and so is any
    package that is installed in another version.
    """
    found: list[tuple[str, str, list[str]]] = []
    for line in lock.splitlines():
        pin = _PIN.match(line)
        if pin is not None:
            found.append((pin["name"], pin["version"], []))
        elif (digest := _HASH.search(line)) is not None and found:
            found[-1][2].append(digest["digest"])
    return tuple(
        LockedPackage(name, version, tuple(hashes), _licence(metadata))
        for name, version, hashes in found
        if (metadata := _installed(name, version)) is not None
    )


def bill_of_materials(packages: tuple[LockedPackage, ...], models: tuple[Mapping[str, Any], ...]) -> str:
    """Returns the bill of materials as CycloneDX 1.6, JSON.

    Args:
        packages: The packages.
        models: The models, as ``vision/packs/catalogue.toml`` describes them.

    Raises:
        ValueError: The result violates the schema, which is a defect of this program.
    """
    bom = Bom()
    bom.metadata.component = Component(
        name="facegate", version=_version(), type=ComponentType.APPLICATION, bom_ref="facegate"
    )
    for package in packages:
        bom.components.add(
            Component(
                name=package.name,
                version=package.version,
                type=ComponentType.LIBRARY,
                bom_ref=f"pypi/{package.name}",
                purl=PackageURL("pypi", None, package.name, package.version),
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


def licences_page(packages: tuple[LockedPackage, ...], models: tuple[Mapping[str, Any], ...]) -> str:
    """Returns the licences of packages and models as two tables in Markdown."""
    lines = ["# Licences\n\n## Packages\n\n| Package | Version | Licence |\n| --- | --- | --- |\n"]
    lines += [f"| {one.name} | {one.version} | {one.licence} |\n" for one in packages]
    lines.append(
        "\n## Models\n\nFacegate contains only its own PAD network; `facegate models pull` fetches the "
        "others, or a package brings them.\n\n"
        "| File | Source | Weights | Training data |\n| --- | --- | --- | --- |\n"
    )
    lines += [
        f"| {model['names'][0]} | {model['source']} | {model['weights']} | {model['training_data']} |\n"
        for model in models
    ]
    return "".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Writes both files into the folder ``--out``, and prints their paths.

    Args:
        arguments: The command's arguments; None for those of the process.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lock", type=Path, default=_ROOT / "requirements" / "cpu.lock", help="lock file")
    parser.add_argument("--out", type=Path, default=Path("sbom"), help="folder for the files")
    chosen = parser.parse_args(arguments)
    packages, models = locked_packages(chosen.lock.read_text()), tuple(_models())
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


def _installed(name: str, version: str) -> Message | None:
    try:
        found = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    # The stubs give the metadata a protocol of its own; it is a message.
    return cast("Message", found.metadata) if found.version == version else None


def _licence(metadata: Message) -> str:
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


def _version() -> str:
    version: str = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]["version"]
    return version


if __name__ == "__main__":
    main()
