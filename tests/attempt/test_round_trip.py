from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attempt.round_trip import RoundTrip


def test_nothing_is_known_before_an_exchange() -> None:
    trip = RoundTrip()
    assert trip.seconds == 0
    trip.note_frame(5.0, step=0)
    assert trip.seconds == 0


def test_the_first_frame_after_a_message_answers_it() -> None:
    trip = RoundTrip()
    trip.note_request(1.0)
    trip.note_frame(1.2, step=0)
    trip.note_frame(1.21, step=0)
    assert trip.seconds == pytest.approx(0.2)


def test_a_frame_that_waited_at_the_server_answers_no_later_message() -> None:
    trip = RoundTrip()
    trip.note_request(1.0)
    trip.note_frame(0.9, step=0)
    trip.note_frame(0.95, step=0)
    assert trip.seconds == 0
    trip.note_frame(1.3, step=0)
    assert trip.seconds == pytest.approx(0.3)


def test_the_shortest_exchange_counts() -> None:
    trip = RoundTrip()
    for sent, arrived in ((1.0, 1.5), (2.0, 2.1), (3.0, 3.4)):
        trip.note_request(sent)
        trip.note_frame(arrived, step=0)
    assert trip.seconds == pytest.approx(0.1)


def test_a_step_is_answered_by_the_first_frame_that_names_it() -> None:
    trip = RoundTrip()
    trip.note_step(3, 1.0)
    trip.note_frame(1.01, step=2)
    assert trip.seconds == 0
    trip.note_frame(1.1, step=3)
    assert trip.seconds == pytest.approx(0.1)


def test_naming_a_step_late_does_not_lengthen_it() -> None:
    trip = RoundTrip()
    trip.note_request(0.0)
    trip.note_frame(0.05, step=0)
    trip.note_step(1, 1.0)
    trip.note_frame(1.9, step=1)
    assert trip.seconds == pytest.approx(0.05)


def test_the_first_frame_after_new_credit_waited_for_it() -> None:
    trip = RoundTrip()
    trip.note_request(1.0)
    trip.note_frame(1.2, step=0)
    waited = [trip.waited]
    trip.note_request(2.5, waiting_since=2.0)
    # The first had arrived before the credit was sent.
    for arrival in (2.4, 2.7, 2.75):
        trip.note_frame(arrival, step=0)
        waited.append(trip.waited)
    assert waited == [None, None, (2.0, 2.5), None]


@dataclass(frozen=True)
class _Exchange:
    """What happens next: the server sends a message, or a step; frames and network need these times."""

    step: bool
    network: float
    camera: float


@given(
    exchanges=st.lists(
        st.builds(_Exchange, step=st.booleans(), network=st.floats(0.01, 2.0), camera=st.floats(0.0, 1.0)),
        min_size=1,
        max_size=30,
    ),
    crowd=st.integers(0, 4),
)
def test_it_is_never_less_than_the_network_needs(exchanges: list[_Exchange], crowd: int) -> None:
    """Frames under way, which name the step before, may arrive at any time before the answer to a step."""
    trip, now, step = RoundTrip(), 100.0, 0
    for one in exchanges:
        answered = now + one.network + one.camera
        if one.step:
            trip.note_step(step + 1, now)
            for other in range(crowd):
                trip.note_frame(now + other / 5 * (answered - now), step=step)
            step += 1
        else:
            trip.note_request(now)
        trip.note_frame(answered, step=step)
        now = answered + 0.1
    taken = [one.network + one.camera for one in exchanges]
    assert trip.seconds == pytest.approx(min(taken))
    assert trip.seconds >= min(one.network for one in exchanges) - 1e-6
