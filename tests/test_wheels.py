"""The four distributions: their contents, and that they work beside a customer's own packages."""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from PIL import Image

from deploy.version import own_version
from lab.simulator.photo import builtin_image
from tests.packs import real_pack

_ROOT = Path(__file__).resolve().parent.parent
_PROJECTS = {
    "facegate_protocol": "protos",
    "facegate_client": "clients/python",
    "facegate": ".",
    "facegate_lab": "lab",
}
_LAB = "facegate_lab"
_HIDDEN = (*("attempt", "cli", "device_integrity", "formats", "liveness", "matcher", "vision"),)
"""Packages of the application, besides `server`, whose name a customer's package has here."""
_START_SECONDS = 120
_SERVES = re.compile(r"Facegate serves: device (\S+), service (\S+), admin port (\d+)")

pytestmark = pytest.mark.slow


def _build(project: Path, folder: Path, *kinds: str) -> None:
    """Build distributions with the pinned hatchling: ``wheel``, ``sdist``."""
    chosen = [word for kind in kinds for word in ("-t", kind)]
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", *chosen, "-d", str(folder)],
        cwd=project,
        check=True,
        capture_output=True,
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheels and the source distributions of this checkout, and nothing else."""
    folder = tmp_path_factory.mktemp("built")
    for project in _PROJECTS.values():
        _build(_ROOT / project, folder, "sdist", "wheel")
    return folder


@pytest.fixture(scope="module")
def wheels(built: Path) -> Mapping[str, Path]:
    """The wheels of this checkout, by their distributions."""
    return {name: built / f"{name}-{own_version()}-py3-none-any.whl" for name in _PROJECTS}


def _names(wheel: Path) -> set[str]:
    return {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}


def test_a_release_is_four_wheels_and_four_source_distributions(built: Path) -> None:
    version = own_version()
    assert {file.name for file in built.iterdir() if file.name != ".gitignore"} == {
        *(f"{name}-{version}-py3-none-any.whl" for name in _PROJECTS),
        *(f"{name}-{version}.tar.gz" for name in _PROJECTS),
    }


def test_no_file_is_in_two_wheels(wheels: Mapping[str, Path]) -> None:
    count = Counter(name for wheel in wheels.values() for name in zipfile.ZipFile(wheel).namelist())
    assert [name for name, wheels_with_it in count.items() if wheels_with_it > 1] == []


def test_the_wheels_install_five_top_level_packages(wheels: Mapping[str, Path]) -> None:
    """Their names are promised in docs/release.md: nothing generic, such as `server`, among them."""
    top = {name.partition("/")[0] for wheel in wheels.values() for name in _names(wheel)}
    assert top == {"facegate", "facegate_app", "facegate_client", "facegate_lab", "facegate_protocol"}


@pytest.mark.parametrize("name", _PROJECTS)
def test_nothing_for_developers_is_in_a_distribution(
    built: Path, wheels: Mapping[str, Path], name: str
) -> None:
    with tarfile.open(built / f"{name}-{own_version()}.tar.gz") as archive:
        source = [member.name.partition("/")[2] for member in archive.getmembers()]
    assert {"pyproject.toml", "README.md", "LICENSE", "PKG-INFO"} <= set(source)
    for path in (*_names(wheels[name]), *source):
        assert not {"tests", "docs", "studies", ".ci", "__pycache__"} & set(path.split("/")), path


@pytest.mark.parametrize("name", _PROJECTS)
def test_a_source_distribution_builds_the_same_wheel(
    built: Path, wheels: Mapping[str, Path], tmp_path: Path, name: str
) -> None:
    stem = f"{name}-{own_version()}"
    with tarfile.open(built / f"{stem}.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    _build(tmp_path / stem, tmp_path / "again", "wheel")
    again = zipfile.ZipFile(tmp_path / "again" / wheels[name].name)
    first = zipfile.ZipFile(wheels[name])
    assert {name: again.read(name) for name in again.namelist()} == {
        name: first.read(name) for name in first.namelist()
    }


def test_the_protocol_is_stubs_contract_and_transcript(wheels: Mapping[str, Path]) -> None:
    names = _names(wheels["facegate_protocol"])
    assert {name.partition("/")[0] for name in names} == {"facegate", "facegate_protocol"}
    assert names >= {
        "facegate/py.typed",
        "facegate/v1/scan.proto",
        "facegate/v1/scan_pb2.py",
        "facegate/v1/scan_pb2.pyi",
        "facegate/v1/verification_service_pb2_grpc.py",
        "facegate_protocol/chain.py",
        "facegate_protocol/py.typed",
        "facegate_protocol/texts.json",
    }


def test_the_client_is_one_package(wheels: Mapping[str, Path]) -> None:
    names = _names(wheels["facegate_client"])
    assert {name.partition("/")[0] for name in names} == {"facegate_client"}
    assert names >= {"facegate_client/device.py", "facegate_client/py.typed"}


def test_the_application_is_one_package_with_its_data(wheels: Mapping[str, Path]) -> None:
    names = _names(wheels["facegate"])
    assert {name.partition("/")[0] for name in names} == {"facegate_app"}
    folders = {name.split("/")[1] for name in names if name.count("/") > 1}
    assert folders == {*_HIDDEN, "server"}
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *folders],
        cwd=_ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    assert names == {
        "facegate_app/__init__.py",
        "facegate_app/__main__.py",
        *(f"facegate_app/{name}" for name in tracked),
    }


def test_the_laboratory_is_one_package_with_its_data(wheels: Mapping[str, Path]) -> None:
    names = _names(wheels[_LAB])
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "lab"],
        cwd=_ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    left_out = ("lab/tests/", "lab/studies/", "lab/pyproject", "lab/README", "lab/LICENSE")
    assert names == {f"facegate_lab/{name}" for name in tracked if not name.startswith(left_out)}


def test_what_runs_at_a_bank_has_no_laboratory_and_no_weights(wheels: Mapping[str, Path]) -> None:
    """Its licence, Apache-2.0, holds for all of it: what may only evaluate is in the other wheel."""
    application, laboratory = (zipfile.ZipFile(wheels[name]) for name in ("facegate", _LAB))
    texts = {name: application.read(name) for name in application.namelist()}
    assert not [name for name in texts if name.endswith((".onnx", ".dat", ".pth"))]
    bad = rb"for research and evaluation only|^\s*(from|import) lab[. ]"
    unwanted = re.compile(bad, re.MULTILINE | re.IGNORECASE)
    assert not [name for name, text in texts.items() if unwanted.search(text)]
    assert {one for one in laboratory.namelist() if one.endswith(".onnx")} == {
        "facegate_lab/lab/packs/facegate_pad_v1.onnx"
    }
    licences = {name: _metadata(wheels[name])["License-Expression"] for name in ("facegate", _LAB)}
    assert licences == {
        "facegate": "Apache-2.0",
        _LAB: "Apache-2.0 AND LicenseRef-Facegate-Evaluation-Only",
    }
    assert not any(name.endswith("LICENSE-WEIGHTS") for name in texts)
    assert any(name.endswith("licenses/LICENSE-WEIGHTS") for name in laboratory.namelist())


def _metadata(wheel: Path) -> Message:
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    return message_from_bytes(archive.read(name))


class Installed:
    """An environment with wheels, a customer's packages, and this environment's libraries."""

    def __init__(self, folder: Path, wheels: Mapping[str, Path]) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        self.python = folder / "bin" / "python"
        pip = [sys.executable, "-m", "pip", "--python", str(self.python), "install", "--quiet"]
        files = map(str, wheels.values())
        subprocess.run([*pip, "--disable-pip-version-check", "--no-index", "--no-deps", *files], check=True)
        (self.packages,) = (folder / "lib").glob("python*/site-packages")
        libraries = folder / "libraries"
        libraries.mkdir()
        for entry in Path(sysconfig.get_path("purelib")).iterdir():
            # This checkout stays out, and what its distributions state about themselves.
            if not entry.name.lstrip("_").startswith(("facegate", "editable")):
                (libraries / entry.name).symlink_to(entry)
        (self.packages / "libraries.pth").write_text(f"{libraries}\n")
        for name in ("server", "client"):
            (self.packages / name).mkdir()
            (self.packages / name / "__init__.py").write_text("WHOSE = 'the customer'\n")
        self.work = folder / "work"
        self.work.mkdir()

    def run(self, *command: str, program: str = "python") -> "subprocess.CompletedProcess[str]":
        """Run a program of the environment to its end."""
        return subprocess.run(
            [str(self.python.with_name(program)), *command],
            cwd=self.work,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=300,
        )

    @contextmanager
    def serving(self, settings: str) -> Iterator[tuple[str, str]]:
        """Run ``facegate serve``; yield the targets of its device and service listeners."""
        (self.work / "facegate.toml").write_text(settings)
        log = self.work / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(self.python.with_name("facegate")), "serve", "--config", "facegate.toml"],
                cwd=self.work,
                env=self.environment(),
                stdout=output,
                stderr=output,
            )
        try:
            until = time.monotonic() + _START_SECONDS
            while (found := _SERVES.search(log.read_text())) is None:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < until, log.read_text()
                time.sleep(0.1)
            yield found[1], found[2]
            process.terminate()
            assert process.wait(60) == 0
        finally:
            process.kill()
            process.wait()

    def environment(self) -> dict[str, str]:
        """This process's environment without variables of this checkout or of another server's settings."""
        return {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "FACEGATE_"))
        }


@pytest.fixture(scope="module")
def bank(wheels: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """What a bank installs."""
    without = {name: wheel for name, wheel in wheels.items() if name != _LAB}
    return Installed(tmp_path_factory.mktemp("bank"), without)


@pytest.fixture(scope="module")
def installed(wheels: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("installed"), wheels)


def _imported(installed: Installed, *modules: str) -> dict[str, str]:
    """The origins of modules; empty for missing ones."""
    program = (
        "import importlib, json, sys\n"
        "def place(name):\n"
        "    try:\n"
        "        return importlib.import_module(name).__file__\n"
        "    except ModuleNotFoundError:\n"
        "        return ''\n"
        "print(json.dumps({name: place(name) for name in sys.argv[1:]}))"
    )
    done = installed.run("-c", program, *modules)
    assert done.returncode == 0, done.stderr
    places: dict[str, str] = json.loads(done.stdout)
    return places


def test_a_customers_packages_keep_their_names(installed: Installed) -> None:
    ours = ("facegate.v1.scan_pb2", "facegate_protocol", "facegate_client", "facegate_app")
    theirs = ("server", "client")
    places = _imported(installed, *ours, *theirs, *_HIDDEN, "lab")
    for name in (*ours, *theirs):
        assert places[name].startswith(f"{installed.packages}/{name.replace('.', '/')}")
    assert not any(places[name] for name in (*_HIDDEN, "lab"))


@pytest.mark.parametrize(
    "command",
    [
        ["demo"],
        ["try"],
        ["bench", "--runs", "1"],
        ["conformance", "--reference"],
        ["evaluate", "match", "--identities", "photos"],
        ["attest", "test-platform", "platform"],
        ["verify", "--trusted", "portrait.jpg", "--simulate", "list"],
        ["verify", "--trusted", "portrait.jpg", "--simulate", "genuine"],
        ["serve"],
    ],
)
def test_without_the_laboratory_its_commands_say_what_to_install(bank: Installed, command: list[str]) -> None:
    (bank.work / "portrait.jpg").write_bytes(b"")
    done = bank.run(*command, program="facegate")
    assert done.returncode == 2, done.stdout + done.stderr
    assert f"pip install --no-deps facegate-lab=={own_version()}" in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr
    assert not (bank.work / "platform").exists()


def test_without_the_laboratory_the_help_names_its_commands(bank: Installed) -> None:
    done = bank.run("--help", program="facegate")
    assert done.returncode == 0, done.stderr
    assert "With facegate-lab: demo, try, bench, conformance, evaluate." in done.stdout


def test_a_laboratory_that_cannot_be_imported_breaks_no_other_command(
    wheels: Mapping[str, Path], tmp_path: Path
) -> None:
    broken = Installed(tmp_path / "broken", wheels)
    (broken.packages / "facegate_lab" / "lab" / "__init__.py").write_text("import nothing_of_the_kind\n")
    for command in (["demo"], ["verify", "--trusted", "p.jpg", "--simulate", "list"]):
        done = broken.run(*command, program="facegate")
        assert done.returncode == 2, done.stdout + done.stderr
        assert "nothing_of_the_kind" in done.stderr
        assert "Traceback" not in done.stderr
    assert broken.run("config", "show", program="facegate").returncode == 0
    served = 'data_dir = "data"\nallow_evaluation_pack = true\npack = "embedded"\n'
    (broken.work / "facegate.toml").write_text(served)
    done = broken.run("serve", "--config", "facegate.toml", program="facegate")
    assert done.returncode != 0
    assert "the pack embedded cannot be loaded from facegate-lab" in done.stdout + done.stderr


def test_an_environment_of_an_older_checkout_is_told_to_install_again(
    wheels: Mapping[str, Path], tmp_path: Path
) -> None:
    older = Installed(tmp_path / "older", {"facegate": wheels["facegate"]})
    done = older.run("verify", "--help", program="facegate")
    assert done.returncode == 1
    assert "Install it again" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_runs(installed: Installed) -> None:
    done = installed.run("--help", program="facegate")
    assert done.returncode == 0, done.stderr
    assert "Run a server" in done.stdout
    assert installed.run("--version", program="facegate").stdout == f"facegate {own_version()}\n"


def _required(name: str, extra: str = "") -> Iterator[str]:
    """The installed distributions that a distribution needs, itself first; those of an extra too."""
    yield name
    for line in importlib.metadata.requires(name) or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            for further in requirement.extras or {""}:
                yield from _required(requirement.name, further)


def _link_into(packages: Path, names: set[str]) -> None:
    """Put installed distributions into another environment, as links to their files."""
    for name in names:
        for file in importlib.metadata.files(name) or ():
            # Programs lie outside of the packages.
            if ".." in file.parts or "__pycache__" in file.parts:
                continue
            (packages / file).parent.mkdir(parents=True, exist_ok=True)
            (packages / file).symlink_to(file.locate())


_EVERY_MODULE = """
import importlib, json, pkgutil, sys
missing = {}
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, f"{name}."):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            missing[module.name] = error.name
print(json.dumps(missing))
"""


@pytest.mark.parametrize(
    ("distribution", "packages", "for_extras"),
    [
        ("facegate-protocol", ["facegate", "facegate_protocol"], {}),
        (
            "facegate-client",
            ["facegate", "facegate_protocol", "facegate_client"],
            {"facegate_client.pixel_codec": "cv2"},
        ),
    ],
)
def test_client_and_protocol_need_what_they_state_and_no_more(
    built: Path, tmp_path: Path, distribution: str, packages: list[str], for_extras: dict[str, str]
) -> None:
    """Installed by pip, with its dependencies, from the wheels; everything else is absent."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path)], check=True)
    python = tmp_path / "bin" / "python"
    (site,) = (tmp_path / "lib").glob("python*/site-packages")
    own = {"facegate-client", "facegate-protocol"}
    _link_into(site, {*_required(distribution)} - own)
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    install = [*pip, "install", "--quiet", "--no-index", "--find-links", str(built), distribution]
    for command in (install, [*pip, "check"]):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run([str(python), "-I", "-c", _EVERY_MODULE, *packages], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == for_extras


def test_processes_of_the_application_find_its_code(installed: Installed) -> None:
    program = (
        "import subprocess, sys, facegate_app\n"
        "sys.path.insert(0, facegate_app.__path__[0])\n"
        "from vision.own_process import module_command\n"
        "words = module_command('facegate_app', 'demo', '--help')\n"
        "subprocess.run(words, stdin=subprocess.DEVNULL, check=True)\n"
    )
    done = installed.run("-c", program)
    assert done.returncode == 0, done.stderr


_SAME_PERSON = """\
import secrets
from facegate_app import main

secrets.randbelow = lambda most: 3
main()
"""
"""The command, with the same simulated person each time."""


def test_a_whole_check_is_made(installed: Installed) -> None:
    """A server, its database, its decoders, and a check with the command: every part of it has its files.

    A busy machine sends too few frames in real time for SUCCESS.
    """
    real_pack()
    person = Image.fromarray(builtin_image("astronaut")[:, :, ::-1])
    person.save(installed.work / "photo.jpg", quality=92)
    # A decoder's process alone reads JPEG 2000.
    person.save(installed.work / "portrait.jp2", quality_mode="rates", quality_layers=[5])
    ports = "".join(f"listeners.{name}.port = 0\n" for name in ("device", "service", "admin"))
    with installed.serving(
        'data_dir = "data"\npack = "embedded"\nallow_evaluation_pack = true\n'
        f'policies.default = "evaluation"\n{ports}'
    ) as (device, service):
        assert str(installed.packages / "facegate_app") in " ".join(_decoder_command(installed.python))
        verified = installed.run(
            *("-c", _SAME_PERSON),
            *("verify", "--trusted", "portrait.jp2", "--scan", "photo.jpg", "--simulate", "genuine"),
            *("--device", device, "--service", service, "--json"),
        )
    assert verified.returncode in (0, 1), verified.stdout + verified.stderr
    result = json.loads(verified.stdout)
    assert result["match"]["same_person"], result
    assert result["liveness"]["verdict"] != "LIVENESS_VERDICT_SPOOF", result
    measured = {signal["name"] for signal in result["liveness"]["signals"] if "score" in signal}
    assert {"pad_network", "moire"} <= measured, result
    few = {"FAILURE_REASON_CONDITIONS", "FAILURE_REASON_LIVENESS_INCONCLUSIVE", "FAILURE_REASON_ABANDONED"}
    assert set(result.get("reasons", ())) <= few, result


def _decoder_command(python: Path) -> list[str]:
    """The command line of a running decoder of an environment."""
    commands = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            commands.append(process.read_bytes().decode().split("\0"))
        except OSError:
            continue
    return next(
        command for command in commands if command[0] == str(python) and "vision.isolation.worker" in command
    )
