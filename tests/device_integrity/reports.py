"""Reports of apps for hypothesis."""

from hypothesis import strategies as st

from device_integrity.runtime import MAX_NAME_CHARACTERS, RuntimeFinding, RuntimeKind, RuntimeReport

_NAMES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=MAX_NAME_CHARACTERS)


def findings() -> st.SearchStrategy[RuntimeFinding]:
    """Any finding."""
    return st.builds(RuntimeFinding, kind=st.sampled_from(RuntimeKind), name=_NAMES)


def reports() -> st.SearchStrategy[RuntimeReport]:
    """Any report, including an empty one."""
    return st.builds(
        RuntimeReport,
        looked_for=st.frozensets(st.sampled_from(RuntimeKind)),
        findings=st.frozensets(findings(), max_size=16),
    )
