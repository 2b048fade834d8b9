"""The backend in Python of the npm package's README, as it stands there."""

import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import Any, Final

from tests.docs.pages import REPOSITORY, code_blocks

__all__ = ["PACKAGE_README", "backend_of_the_package"]

PACKAGE_README: Final = REPOSITORY / "web" / "sdk" / "README.md"


@contextmanager
def backend_of_the_package(target: str, *, port: int = 0) -> Iterator[Callable[[str], Any]]:
    """Runs it in the current folder; yields a page's POST of a path, which returns the answer.

    Args:
        target: The server's service listener.
        port: Where it listens; by default a free port.
    """
    (code,) = (block.text for block in code_blocks(PACKAGE_README) if block.language == "python")
    assert '"127.0.0.1:8444"' in code
    names: dict[str, Any] = {}
    exec(code.replace("127.0.0.1:8444", target), names)  # noqa: S102 - our own page
    with ThreadingHTTPServer(("127.0.0.1", port), names["Handler"]) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()

        def post(path: str) -> Any:
            address = f"http://127.0.0.1:{listening.server_port}{path}"
            with urllib.request.urlopen(urllib.request.Request(address, method="POST")) as answer:
                return json.load(answer)

        try:
            yield post
        finally:
            listening.shutdown()
            thread.join()
