"""The element in Firefox, with the camera that Firefox draws, keeps the rules of ``facegate conformance``."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from cli.conformance.clients import ClientReport
from cli.conformance.conductor import Verdict
from cli.conformance.endpoint import Addresses
from cli.conformance.opening import Ticket
from server.edge.listeners import SCAN_METHOD
from tests.cli.conformance.playing import played
from tests.web.conftest import FIREFOX, run_script, to_ticket

pytestmark = [
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.skipif(not FIREFOX.exists(), reason="Firefox is not installed (FIREFOX)"),
]


@dataclass
class _Firefox:
    """The element in a new Firefox for each scan."""

    port: int
    answer: dict[str, Any] = field(default_factory=dict)

    async def scan(self, ticket: Ticket, addresses: Addresses) -> ClientReport:
        server = addresses.web.removesuffix(SCAN_METHOD)
        options = {"server": server, "ticket": to_ticket(ticket.token, ticket.fingerprint), "flash": True}
        job = {"port": self.port, "options": options}
        # Node.js 20 has WebSocket only with this option.
        self.answer = await run_script("firefox", job, options=["--experimental-websocket"])
        return ClientReport(has_result="outcome" in self.answer, said=str(self.answer))


@pytest.mark.parametrize("name", ["success", "flash", "lost-line", "end-too-late"])
async def test_the_element_scans_in_firefox(page_port: int, name: str) -> None:
    firefox = _Firefox(page_port)
    outcomes = await played([name], firefox, origin=f"http://localhost:{page_port}")
    assert (outcomes[name].verdict, outcomes[name].detail) == (Verdict.PASSED, ""), firefox.answer
    assert firefox.answer["width"] > 0
    assert "Firefox/" in firefox.answer["agent"]
    assert ("outcome" in firefox.answer) == (name != "end-too-late")
