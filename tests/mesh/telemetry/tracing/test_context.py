import pytest

from mesh.telemetry.tracing.context import TraceContext, parsed
from tests.traced import FOLLOWED, OUTSIDE, TRACE, UNFOLLOWED


def test_what_is_read_is_written_again() -> None:
    for text, sampled in ((FOLLOWED, True), (UNFOLLOWED, False)):
        found = parsed(text, "a=1,b=2")
        assert found == TraceContext(
            trace_id=TRACE, span_id=OUTSIDE, sampled=sampled, state="a=1,b=2"
        )
        assert found.traceparent == text


def test_other_flags_and_later_versions_are_read_as_far_as_they_are_known() -> None:
    later = parsed(f"cc-{TRACE}-{OUTSIDE}-03-what-comes")
    assert later is not None
    assert later.traceparent == FOLLOWED


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00-t-s-01",
        FOLLOWED.upper(),
        f"ff-{TRACE}-{OUTSIDE}-01",
        f"{FOLLOWED}-more",
        f"00-{'0' * 32}-{OUTSIDE}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"{FOLLOWED}\n",
    ],
)
def test_what_is_malformed_is_nothing(text: str) -> None:
    assert parsed(text) is None


@pytest.mark.parametrize("state", ["a" * 513, "\N{SNOWMAN}=1", "a=1\r\nx-user-id: root"])
def test_a_state_that_cannot_be_handed_on_is_dropped(state: str) -> None:
    found = parsed(FOLLOWED, state)
    assert found is not None
    assert found.state == ""
