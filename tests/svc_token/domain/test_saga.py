"""The order of a purchase's steps."""

from svc_token.domain.saga import (
    DECLINED,
    GIVEN_UP,
    MOVES,
    REFUSED,
    Saga,
    Status,
    Step,
    taken,
)


def saga() -> Saga:
    return Saga(
        id="s",
        scope="u",
        user_id="u",
        org_id=None,
        provider="openai",
        tokens=5,
        idempotency_key=None,
        status=Status.STARTED,
        step=Step.AUTHORIZE,
        created_us=0,
        updated_us=0,
    )


def test_a_purchase_goes_through_the_documented_states_and_ends() -> None:
    current, seen = saga(), [Status.STARTED]
    events: list[str] = []
    while current.step is not Step.NONE:
        move = MOVES[current.step]
        current = current.moved(move, 1)
        events += move.events
        if current.status is not seen[-1]:
            seen.append(current.status)
    assert seen == [
        Status.STARTED,
        Status.PAYMENT_RESERVED,
        Status.TOKENS_ALLOCATED,
        Status.COMPLETED,
    ]
    assert events == ["TOKEN_PAYMENT_RESERVED", "TOKEN_ALLOCATED", "TOKEN_PURCHASE_COMPLETED"]


def test_both_ways_out_void_before_they_end_failed() -> None:
    for way in (DECLINED, GIVEN_UP):
        voiding = saga().moved(way, 1)
        assert voiding.step is Step.VOID
        assert "PAYMENT_RELEASE_REQUESTED" in way.events
        assert voiding.moved(MOVES[Step.VOID], 2).status is Status.FAILED


def test_after_the_pivot_there_is_only_forward() -> None:
    for step in (Step.CAPTURE, Step.ALLOCATE, Step.COMPLETE):
        assert MOVES[step].status is not Status.FAILED
        assert MOVES[step].step is not Step.VOID


def test_each_move_changes_the_version_that_fences() -> None:
    assert saga().moved(MOVES[Step.AUTHORIZE], 1).version == saga().version + 1


def test_a_claim_is_another_version_and_the_end_is_in_nobody_s_hands() -> None:
    held = saga().claimed("p", 9)
    assert (held.holder, held.lease_until_us, held.version) == ("p", 9, 1)
    going = held.moved(MOVES[Step.AUTHORIZE], 1)
    assert (going.holder, going.lease_until_us) == ("p", 9)
    ended = held.moved(MOVES[Step.COMPLETE], 1)
    assert (ended.holder, ended.lease_until_us) == (None, 0)


def test_who_has_paid_gets_the_tokens_even_out_of_a_void_and_each_event_is_told_once() -> None:
    for way, before in (
        (DECLINED, saga()),
        (GIVEN_UP, saga()),
        (REFUSED, saga().moved(MOVES[Step.AUTHORIZE], 1)),
    ):
        told = ["TOKEN_PAYMENT_RESERVED"] if before.step is Step.CAPTURE else []
        voiding = before.moved(way, 2)
        forward = taken(voiding)
        assert (forward.status, forward.step) == (Status.PAYMENT_RESERVED, Step.ALLOCATE)
        told += [*way.events, *forward.events]
        assert sorted(told) == ["PAYMENT_RELEASE_REQUESTED", "TOKEN_PAYMENT_RESERVED"]
