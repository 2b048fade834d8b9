"""The npm package as a project gets it: packed, and imported without a DOM; and the example of its README."""

import asyncio
import json
import re
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import REPOSITORY, code_blocks, links
from tests.server.live import LiveServer, portrait
from tests.server.package_backend import PACKAGE_README, backend_of_the_package
from tests.server.process.server_process import DataFolder
from tests.web.conftest import MODULES, SDK, SERVER_PACKAGE, Recordings, run_script

pytestmark = pytest.mark.slow

_PERSON = "live/KwaiVGI__assets__examples__driving__d13.mp4"

_RENDER = """
import * as element from "@facegate/web/element";
import { FaceScanner } from "@facegate/web/react";
import { createElement } from "react";
import { renderToString } from "react-dom/server";
const html = renderToString(createElement(FaceScanner, { server: "wss://scan.example:8446" }));
console.log(JSON.stringify({ names: Object.keys(element), html, dom: "HTMLElement" in globalThis }));
"""

_BACKEND = """
import { readFileSync } from "node:fs";
import { createCheck, httpError, readVerdict } from "./backend.mjs";
const [portrait, customer] = [readFileSync("portrait.jpg"), "customer-4711"];
const older = await createCheck(portrait, customer);
const refused = await createCheck(Buffer.from("no picture"), customer).catch(httpError);
const ofOlder = await readVerdict(older.checkId, customer).catch(httpError);
const ticket = await createCheck(portrait, customer);
const verdict = await readVerdict(ticket.checkId, customer);
const again = await readVerdict(ticket.checkId, customer).catch(httpError);
console.log(JSON.stringify({ ticket, verdict, refused, ofOlder, again }));
process.exit();
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that installed the packed package without a network or a cache, with React beside it."""
    folder = tmp_path_factory.mktemp("project")
    pack = ["npm", "pack", "--ignore-scripts", "--json", "--pack-destination", str(folder)]
    packed = json.loads(subprocess.run(pack, cwd=SDK, check=True, capture_output=True).stdout)
    (folder / "package.json").write_text("{}")
    install = ["npm", "install", "--offline", "--cache", str(folder / "cache"), "--no-audit", "--no-fund"]
    subprocess.run([*install, f"./{packed[0]['filename']}"], cwd=folder, check=True, capture_output=True)
    modules = folder / "node_modules"
    for name in ("react", "react-dom"):
        (modules / name).symlink_to(MODULES / name)
    (modules / "@facegate" / "server").symlink_to(SERVER_PACKAGE)
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


@pytest.mark.parametrize("package", [SDK, SERVER_PACKAGE], ids=["sdk", "server"])
def test_a_package_contains_what_it_has_from_the_workspace(package: Path) -> None:
    emitted = [path for path in (package / "dist").rglob("*.*") if path.suffix in {".js", ".ts"}]
    imports = [
        (path, name) for path in emitted for name in re.findall(r'from ?"([./@][^"]*)"', path.read_text())
    ]
    assert len(imports) > 5
    assert [(path, name) for path, name in imports if name.startswith("@facegate/")] == []
    relative = [path.parent / name for path, name in imports if name[0] == "."]
    assert [path for path in relative if not (path.exists() or path.with_suffix(".d.ts").exists())] == []


def test_the_readme_links_nothing_that_the_package_lacks(project: Path) -> None:
    package = project / "node_modules" / "@facegate" / "web"
    relative = [link for link in links(package / "README.md") if "://" not in link and link[0] != "#"]
    assert [link for link in relative if not (package / link.partition("#")[0]).exists()] == []


def write_backend(project: Path, *, service: str, admin_port: int) -> None:
    """Write the backend in Node.js of the README, for a server."""
    (code,) = (block.text for block in code_blocks(PACKAGE_README) if block.language == "js")
    assert "//127.0.0.1:8444" in code
    assert "//127.0.0.1:8445/" in code
    here = code.replace("127.0.0.1:8444", service).replace("127.0.0.1:8445", f"127.0.0.1:{admin_port}")
    (project / "backend.mjs").write_text(here)


async def test_a_backend_in_node_makes_a_check_and_reads_its_verdict(
    project: Path, server: LiveServer
) -> None:
    write_backend(project, service=server.server.service_target, admin_port=server.server.admin_port)
    (project / "portrait.jpg").write_bytes(portrait())
    process = await asyncio.create_subprocess_exec(
        *("node", "--input-type=module", "--eval", _BACKEND), cwd=project, stdout=asyncio.subprocess.PIPE
    )
    answer = json.loads((await process.communicate())[0])
    assert len(answer["ticket"]["token"]) > 0
    assert len(answer["ticket"]["challengeKeySha256"]) == 44
    assert answer["verdict"] == {"verified": False, "reasons": ["CANCELLED"]}
    assert answer["refused"] == [500, {"reason": "IMAGE_FORMAT_NOT_SUPPORTED"}]
    assert answer["ofOlder"] == answer["again"] == [404, {"reason": "NO_SUCH_CHECK"}]


_STOPPED = """
import { readFileSync } from "node:fs";
import { createCheck, readVerdict } from "./backend.mjs";
const ticket = await createCheck(readFileSync("portrait.jpg"), "customer-4711");
const verdict = await readVerdict(ticket.checkId, "customer-4711");
console.log(JSON.stringify({ ticket, verdict }));
process.exit();
"""


async def test_a_backend_in_node_makes_one_check_while_the_server_stops(
    project: Path, tmp_path: Path
) -> None:
    home = DataFolder(tmp_path / "home")
    async with home.serving() as process:
        write_backend(project, service=process.service_target, admin_port=process.admin_port)
        (project / "portrait.jpg").write_bytes(portrait())
        async with process.stopped_for(12.0):
            node = await asyncio.create_subprocess_exec(
                *("node", "--input-type=module", "--eval", _STOPPED),
                cwd=project,
                stdout=asyncio.subprocess.PIPE,
            )
            answer = json.loads((await node.communicate())[0])
    assert answer["verdict"]["reasons"] == ["CANCELLED"]
    with sqlite3.connect(home.data / "facegate.db") as database:
        assert database.execute("SELECT count(*) FROM checks").fetchone() == (1,)


@pytest.mark.alone
async def test_the_readme_leads_to_a_verdict(
    project: Path,
    server: LiveServer,
    page_port: int,
    recording: Recordings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    person = recording(_PERSON)
    (page,) = (block.text for block in code_blocks(PACKAGE_README) if block.language == "html")
    assert '"ws://127.0.0.1:8446"' in page
    (project / "index.html").write_text(page.replace("127.0.0.1:8446", str(server.server.web_target)))
    (project / "portrait.jpg").write_bytes(person.portrait)
    monkeypatch.chdir(project)
    with backend_of_the_package(server.server.service_target, port=page_port):
        answer = await run_script("readme", {"port": page_port, "video": str(person.camera)})
    assert answer["left"] == {"verified": False, "reasons": ["FAILURE_REASON_CANCELLED"]}
    assert answer["scanned"] == {"verified": True, "reasons": []}


@pytest.mark.parametrize("leaves", ["cancel", "unmount"])
async def test_the_component_reports_a_scan_that_is_left(page_port: int, leaves: str) -> None:
    answer = await run_script("react", {"port": page_port, "leaves": leaves})
    assert answer == {
        "errors": ["CancelledError"],
        "id": "scanner",
        "className": "wide",
        "maxWidth": "30rem",
        "mounted": leaves == "cancel",
        "released": leaves == "unmount",
    }


# The page and the component of examples/webviews, to which docs/browser.md leads.


_CODE = REPOSITORY / "examples" / "webviews"
# The properties of react-native-webview that decide about a camera, by its reference.
_WEB_VIEW = """
declare module "react-native-webview" {
  import type { FunctionComponent } from "react";
  type Grant = "grantIfSameHostElsePrompt" | "grantIfSameHostElseDeny" | "deny" | "grant" | "prompt";
  export const WebView: FunctionComponent<{
    source: { uri: string };
    originWhitelist?: string[];
    allowsInlineMediaPlayback?: boolean;
    mediaPlaybackRequiresUserAction?: boolean;
    mediaCapturePermissionGrantType?: Grant;
    onMessage?: (event: { nativeEvent: { data: string; url: string } }) => void;
  }>;
}
"""


def _code(name: str) -> str:
    return (_CODE / name).read_text()


def test_every_app_has_the_bridge_of_the_page() -> None:
    apps = [path.read_text() for path in _CODE.iterdir() if path.name != "page.html"]
    assert len(apps) == 4
    page = _code("page.html")
    for app in apps:
        assert '"facegate"' in app or "'facegate'" in app or "onMessage" in app
    for bridge in ("window.facegate", "webkit?.messageHandlers.facegate", "window.ReactNativeWebView"):
        assert bridge in page


def test_the_script_of_the_page_is_a_module(tmp_path: Path) -> None:
    script = re.search(r'<script type="module">(.*?)</script>', _code("page.html"), re.DOTALL)
    assert script is not None
    (tmp_path / "page.mjs").write_text(script[1])
    subprocess.run(["node", "--check", tmp_path / "page.mjs"], check=True)


def test_the_component_of_react_native_has_the_right_types(tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(MODULES)
    (tmp_path / "web_view.d.ts").write_text(_WEB_VIEW)
    (tmp_path / "scan.tsx").write_text(_code("Scan.tsx"))
    tsc = [str(MODULES / ".bin" / "tsc"), "--noEmit", "--strict", "--jsx", "react-jsx"]
    options = ["--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler", "--types", ""]
    done = subprocess.run(
        [*tsc, *options, "web_view.d.ts", "scan.tsx"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
