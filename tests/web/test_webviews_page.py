"""The page and the component of examples/webviews, to which docs/browser.md leads."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import REPOSITORY
from tests.web.conftest import SDK

pytestmark = pytest.mark.slow

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
    (tmp_path / "node_modules").symlink_to(SDK / "node_modules")
    (tmp_path / "web_view.d.ts").write_text(_WEB_VIEW)
    (tmp_path / "scan.tsx").write_text(_code("Scan.tsx"))
    tsc = [str(SDK / "node_modules" / ".bin" / "tsc"), "--noEmit", "--strict", "--jsx", "react-jsx"]
    options = ["--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler", "--types", ""]
    done = subprocess.run(
        [*tsc, *options, "web_view.d.ts", "scan.tsx"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
