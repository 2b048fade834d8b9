"""The npm package as a project gets it: packed, unpacked, and imported where there is no DOM."""

import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.docs.pages import links
from tests.web.conftest import SDK

pytestmark = pytest.mark.slow

_RENDER = """
import * as element from "@facegate/web/element";
import { FaceScanner } from "@facegate/web/react";
import { createElement } from "react";
import { renderToString } from "react-dom/server";
const html = renderToString(createElement(FaceScanner, { server: "wss://scan.example:8446" }));
console.log(JSON.stringify({ names: Object.keys(element), html, dom: "HTMLElement" in globalThis }));
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in whose ``node_modules`` the packed package is, with React."""
    folder = tmp_path_factory.mktemp("project")
    pack = ["npm", "pack", "--ignore-scripts", "--json", "--pack-destination", str(folder)]
    packed = json.loads(subprocess.run(pack, cwd=SDK, check=True, capture_output=True).stdout)
    modules = folder / "node_modules"
    (modules / "@facegate").mkdir(parents=True)
    with tarfile.open(folder / packed[0]["filename"]) as tarball:
        tarball.extractall(modules, filter="data")
    (modules / "package").rename(modules / "@facegate" / "web")
    for name in ("react", "react-dom"):
        (modules / name).symlink_to(SDK / "node_modules" / name)
    return folder


def test_a_server_renders_the_component(project: Path) -> None:
    command = ["node", "--input-type=module", "--eval", _RENDER]
    answer = json.loads(subprocess.run(command, cwd=project, check=True, capture_output=True).stdout)
    assert answer["html"] == '<facegate-scan server="wss://scan.example:8446"></facegate-scan>'
    assert {"FacegateScan", "FaceScan", "CancelledError"} <= set(answer["names"])
    assert answer["dom"] is False


def test_the_component_is_marked_as_one_of_the_client(project: Path) -> None:
    component = project / "node_modules" / "@facegate" / "web" / "dist" / "react.js"
    assert component.read_text().startswith('"use client";')


def test_the_readme_links_nothing_that_the_package_lacks(project: Path) -> None:
    package = project / "node_modules" / "@facegate" / "web"
    relative = [link for link in links(package / "README.md") if "://" not in link and link[0] != "#"]
    assert [link for link in relative if not (package / link.partition("#")[0]).exists()] == []
