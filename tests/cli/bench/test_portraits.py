import pytest

from cli.bench.portraits import two_megabytes
from formats.image_header import parse_header
from simulator import builtin_photos


@pytest.mark.slow
def test_the_portrait_is_as_large_as_an_upload_may_be() -> None:
    data = two_megabytes(builtin_photos(names=("astronaut",))["astronaut"].pixels)
    assert 1_800_000 <= len(data) <= 2_000_000
    assert parse_header(data).pixels == 2400 * 2400
