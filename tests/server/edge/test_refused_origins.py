from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from server.edge.refused_origins import RefusedOrigins


class _Scene:
    def __init__(self) -> None:
        self.now = datetime(2027, 3, 1, tzinfo=UTC)
        self.refused = RefusedOrigins(lambda: self.now)

    def refuse(self, *origins: str) -> list[tuple[str, int]]:
        """The lines about these refusals: origin and count."""
        with capture_logs() as logs:
            for origin in origins:
                self.refused.note_refusal(origin)
        assert {(line["event"], line["log_level"]) for line in logs} <= {("origin_refused", "warning")}
        assert all("device_integrity.web.origins" in line["remedy"] for line in logs)
        return [(line["origin"], line["count"]) for line in logs]


def test_an_origin_is_named_once_and_then_counted() -> None:
    scene = _Scene()
    one, other = "https://pay.example", "https://www.example"
    assert scene.refuse(one, one, one, other) == [(one, 1), (other, 1)]
    scene.now += timedelta(seconds=61)
    assert scene.refuse(one) == [(one, 2)]
    scene.now += timedelta(seconds=61)
    assert scene.refuse(other) == [(one, 1), (other, 1)]


def test_a_flood_of_origins_is_bounded() -> None:
    scene = _Scene()
    lines = []
    for second in range(600):
        lines += scene.refuse(*(f"https://{second}-{number}.example" for number in range(50)))
        scene.now += timedelta(seconds=1)
    assert len(lines) <= 11 * 9
    assert ("several", 50 * 60 - 8) in lines


@pytest.mark.parametrize("origin", ["", "null", "https://" + "a" * 3000])
def test_an_origin_is_cut(origin: str) -> None:
    assert _Scene().refuse(origin) == [(origin[:200], 1)]
