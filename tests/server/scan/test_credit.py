"""Credit: never more in flight than the window."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import Reason, Refusal
from server.scan.credit import CreditLedger

FRAMES, BYTES, LARGEST = 4, 1000, 700


def _ledger() -> CreditLedger:
    return CreditLedger(window_frames=FRAMES, window_bytes=BYTES, largest_frame=LARGEST)


def test_a_window_opens_full_and_is_granted_again() -> None:
    ledger = _ledger()
    assert (ledger.opening.frames, ledger.opening.bytes) == (FRAMES, BYTES)
    assert ledger.grant() is None
    ledger.spend(100)
    ledger.spend(50)
    assert ledger.grant() is None
    ledger.processed(100)
    ledger.processed(50)
    grant = ledger.grant()
    assert grant is not None
    assert (grant.frames, grant.bytes) == (2, 150)
    assert ledger.grant() is None


def test_it_waits_while_the_device_has_plenty() -> None:
    ledger = _ledger()
    for size, granted in ((100, None), (50, (2, 150)), (100, None), (400, (2, 500)), (301, (1, 301))):
        ledger.spend(size)
        ledger.processed(size)
        grant = ledger.grant()
        assert (None if grant is None else (grant.frames, grant.bytes)) == granted


def test_what_waits_is_given_where_everything_is_asked_for() -> None:
    ledger = _ledger()
    ledger.spend(100)
    ledger.processed(100)
    assert ledger.grant() is None
    waited = ledger.held_back
    grant = ledger.grant(everything=True)
    assert grant is not None
    assert (waited, grant.frames, grant.bytes) == (True, 1, 100)
    assert not ledger.held_back
    assert ledger.grant(everything=True) is None


def test_a_window_of_one_frame_is_granted_at_once() -> None:
    ledger = CreditLedger(window_frames=1, window_bytes=BYTES, largest_frame=BYTES)
    for _ in range(3):
        ledger.spend(1)
        ledger.processed(1)
        assert ledger.grant() is not None


@given(st.lists(st.integers(0, LARGEST), max_size=40))
def test_a_device_that_was_worked_through_can_always_send_its_largest_image(sizes: list[int]) -> None:
    ledger = _ledger()
    frames, room = ledger.opening.frames, ledger.opening.bytes
    for size in sizes:
        ledger.spend(size)
        frames, room = frames - 1, room - size
        ledger.processed(size)
        if (grant := ledger.grant()) is not None:
            frames, room = frames + grant.frames, room + grant.bytes
        assert frames >= 1
        assert room >= LARGEST


@pytest.mark.parametrize("sizes", [[1] * (FRAMES + 1), [BYTES + 1], [600, 401]])
def test_sending_beyond_it_is_refused(sizes: list[int]) -> None:
    ledger = _ledger()
    for size in sizes[:-1]:
        ledger.spend(size)
    with pytest.raises(Refusal) as caught:
        ledger.spend(sizes[-1])
    assert caught.value.reason is Reason.CREDIT_EXCEEDED
    assert caught.value.details["frameBytes"] == sizes[-1]


@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("send"), st.integers(0, 700)),
            st.tuples(st.just("work"), st.just(0)),
            st.tuples(st.just("grant"), st.just(0)),
        ),
        max_size=60,
    )
)
def test_what_was_granted_and_not_worked_through_never_exceeds_the_window(
    steps: list[tuple[str, int]],
) -> None:
    ledger = _ledger()
    granted_frames, granted_bytes = ledger.opening.frames, ledger.opening.bytes
    sent: list[int] = []
    worked = 0
    for step, size in steps:
        if step == "send":
            room = granted_frames > len(sent) and granted_bytes - sum(sent) >= size
            if room:
                ledger.spend(size)
                sent.append(size)
            else:
                with pytest.raises(Refusal):
                    ledger.spend(size)
        elif step == "work" and worked < len(sent):
            ledger.processed(sent[worked])
            worked += 1
        elif step == "grant" and (grant := ledger.grant()) is not None:
            granted_frames += grant.frames
            granted_bytes += grant.bytes
        # What the device may still send, and what waits to be worked through.
        assert granted_frames - worked <= FRAMES
        assert granted_bytes - sum(sent[:worked]) <= BYTES
