"""What there is one of is shared fairly, and never in two hands."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from svc_token.domain.lease import Lease, fair_share, shared

HOLDERS = st.lists(st.uuids().map(str), min_size=1, max_size=9, unique=True)
LEASE_US = 5_000_000


@given(st.integers(0, 64), HOLDERS)
def test_fair_shares_add_up_and_differ_by_one_at_most(count: int, holders: list[str]) -> None:
    shares = [fair_share(count, one, holders) for one in holders]
    assert sum(shares) == count
    assert max(shares) - min(shares) <= 1


@given(st.integers(0, 64), HOLDERS)
def test_who_is_not_known_yet_counts_too(count: int, holders: list[str]) -> None:
    newcomer = "new"
    assert fair_share(count, newcomer, holders) == fair_share(count, newcomer, [*holders, newcomer])


class Table:
    """Leases, and who has had a turn and until when it is alive."""

    def __init__(self, count: int) -> None:
        self.leases = {f"{number:02}": Lease(name=f"{number:02}") for number in range(count)}
        self.alive: dict[str, int] = {}

    def turn(self, holder: str, now_us: int) -> Sequence[Lease]:
        living = [one for one, until_us in self.alive.items() if until_us > now_us]
        changed = shared(
            list(self.leases.values()), holder, living, now_us=now_us, until_us=now_us + LEASE_US
        )
        for lease in changed:
            before = self.leases[lease.name]
            # Nobody else's is touched before its time is up.
            assert before.holder == holder or not before.held(now_us)
            # And a fence grows exactly when it is not merely renewed or given back.
            assert lease.fence - before.fence == (not before.held(now_us))
            self.leases[lease.name] = lease
        self.alive[holder] = now_us + LEASE_US
        return [lease for lease in changed if lease.held(now_us)]

    def of(self, holder: str, now_us: int) -> int:
        return sum(lease.held(now_us) and lease.holder == holder for lease in self.leases.values())


# A turn is of one of four, some time after the one before.
TURNS = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 3_000_000)), max_size=60)


@given(st.integers(1, 20), TURNS)
def test_a_lease_under_one_fence_is_one_holder_s_alone(
    count: int, turns: list[tuple[str, int]]
) -> None:
    table, now_us = Table(count), 1
    held: dict[tuple[str, int], str] = {}
    for holder, later in turns:
        now_us += later
        for lease in table.turn(holder, now_us):
            # One fence is one holder's.
            assert held.setdefault((lease.name, lease.fence), holder) == holder


@given(st.integers(1, 20), TURNS, st.sets(st.sampled_from("abcd"), min_size=1))
def test_a_few_turns_of_those_who_are_left_share_all_of_it(
    count: int, turns: list[tuple[str, int]], left: set[str]
) -> None:
    table, now_us = Table(count), 1
    for holder, later in turns:
        now_us += later
        table.turn(holder, now_us)
    # The others have died, and their time is up.
    now_us += LEASE_US
    for _ in range(3):
        for holder in sorted(left):
            now_us += 100_000
            table.turn(holder, now_us)
    assert {one: table.of(one, now_us) for one in left} == {
        one: fair_share(count, one, left) for one in left
    }
    assert sum(table.of(one, now_us) for one in left) == count


def test_a_newcomer_gets_its_share_from_the_others_next_turn() -> None:
    table = Table(16)
    assert len(table.turn("a", 1)) == 16
    assert table.turn("b", 2) == []
    assert len(table.turn("a", 3)) == 8
    assert len(table.turn("b", 4)) == 8
    # And what stays keeps its fence: nothing that is under way is disturbed.
    assert {lease.fence for lease in table.leases.values() if lease.holder == "a"} == {1}
    assert {lease.fence for lease in table.leases.values() if lease.holder == "b"} == {2}


def test_what_is_late_for_its_own_takes_it_anew() -> None:
    table = Table(1)
    (first,) = table.turn("a", 1)
    (again,) = table.turn("a", 1 + LEASE_US)
    assert (first.fence, again.fence) == (1, 2)
