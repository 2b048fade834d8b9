"""The order of modes, and the state machine of a check."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from server.domain.terms import OPEN_STATES, TRANSITIONS, CheckState, Mode, may_become

_S = CheckState
LISTED = {
    (_S.CREATED, _S.SCANNING),
    (_S.CREATED, _S.DECIDED),
    (_S.SCANNING, _S.SCANNING),
    (_S.SCANNING, _S.WAITING),
    (_S.SCANNING, _S.DECIDED),
    (_S.WAITING, _S.SCANNING),
    (_S.WAITING, _S.DECIDED),
    (_S.DECIDED, _S.FINISHED),
    (_S.DECIDED, _S.ERASED),
    (_S.FINISHED, _S.ERASED),
}


def test_modes_are_in_order() -> None:
    assert Mode.EXPRESS.strength < Mode.DYNAMIC.strength


@pytest.mark.parametrize("state", CheckState)
@pytest.mark.parametrize("new", CheckState)
def test_only_the_drawn_lines_exist(state: CheckState, new: CheckState) -> None:
    assert may_become(state, new) is ((state, new) in LISTED)


def test_every_state_has_its_line_of_the_table() -> None:
    assert set(TRANSITIONS) == set(CheckState)


def test_open_states_are_those_that_a_scan_may_decide() -> None:
    assert {state for state in CheckState if may_become(state, CheckState.DECIDED)} == OPEN_STATES


class _Life(RuleBasedStateMachine):
    """Any walk over the machine."""

    def __init__(self) -> None:
        super().__init__()
        self.state = CheckState.CREATED
        self.path = [self.state]

    @rule(new=st.sampled_from(CheckState))
    def move(self, new: CheckState) -> None:
        if may_become(self.state, new):
            self.state = new
            self.path.append(new)

    @invariant()
    def a_decision_is_for_good(self) -> None:
        if CheckState.DECIDED in self.path:
            assert self.state not in OPEN_STATES
            assert self.path.count(CheckState.DECIDED) == 1

    @invariant()
    def nothing_is_finished_or_erased_undecided(self) -> None:
        if self.state in {CheckState.FINISHED, CheckState.ERASED}:
            assert CheckState.DECIDED in self.path

    @invariant()
    def an_erased_check_stays_erased(self) -> None:
        if CheckState.ERASED in self.path:
            assert self.state is CheckState.ERASED


TestLife = _Life.TestCase
TestLife.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
