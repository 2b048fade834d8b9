from hypothesis import given
from hypothesis import strategies as st

from facegate_client import ReconnectPolicy


@given(reconnect=st.integers(1, 10_000), jitter=st.floats(0, 1), asked=st.floats(0, 1e6))
def test_wait_grows_to_its_cap_and_honours_the_server(reconnect: int, jitter: float, asked: float) -> None:
    policy = ReconnectPolicy(initial_s=0.25, cap_s=8.0, longest_asked_s=30.0)
    delay = policy.delay(reconnect, asked_s=asked, jitter=jitter)
    assert min(asked, 30.0) <= delay <= max(8.0, min(asked, 30.0))
    assert delay >= min(8.0, 0.25 * 2.0 ** min(reconnect - 1, 30)) / 2


def test_wait_doubles() -> None:
    policy = ReconnectPolicy(initial_s=0.25, cap_s=8.0)
    waits = [policy.delay(number, asked_s=0.0, jitter=1.0) for number in range(1, 8)]
    assert waits == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0]
