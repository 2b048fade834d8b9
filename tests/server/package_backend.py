"""The backend in Python of the npm package's README, as it stands there."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import Any, Final, Protocol

from tests.docs.pages import REPOSITORY, code_blocks

PACKAGE_README: Final = REPOSITORY / "web" / "sdk" / "README.md"


class Post(Protocol):
    """A page's POST of a path."""

    def __call__(self, path: str, body: str = "") -> tuple[int, Any]:
        """Return the HTTP status and the answer."""


@contextmanager
def backend_of_the_package(target: str, *, port: int = 0) -> Iterator[Post]:
    """Run it in the current folder; yield a page's POST.

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

        def post(path: str, body: str = "") -> tuple[int, Any]:
            address = f"http://127.0.0.1:{listening.server_port}{path}"
            sent = body.encode()
            try:
                with urllib.request.urlopen(urllib.request.Request(address, sent, method="POST")) as answer:
                    return answer.status, json.load(answer)
            except urllib.error.HTTPError as error:
                return error.code, json.load(error)

        try:
            yield post
        finally:
            listening.shutdown()
            thread.join()
