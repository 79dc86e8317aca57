from typing import Any

import hypothesis.strategies as st
from hypothesis import given

from svc_auth.domain.throttle import ACCOUNT_SECONDS, ADDRESS_SECONDS, LoginLimits, Throttle

LIMITS = LoginLimits(tries=3, longest_wait=30.0, address_tries=20, account_tries=8)
ALICE, BOB = "alice", "bob"
HERE, THERE = "192.0.2.1", "192.0.2.2"


class World:
    def __init__(self, limits: LoginLimits = LIMITS) -> None:
        self.throttle = Throttle()
        self.limits = limits
        self.now = 1000.0

    def fails(self, account: str = ALICE, address: str = HERE) -> float:
        return self.throttle.begin(account, address, now=self.now, limits=self.limits)

    def works(self, account: str = ALICE, address: str = HERE) -> float:
        wait = self.fails(account, address)
        if wait == 0:
            self.throttle.succeeded(account, address, limits=self.limits)
        return wait


def test_a_few_slips_cost_nothing_and_then_each_waits_twice_as_long() -> None:
    world = World()
    assert [world.fails() for _ in range(3)] == [0.0] * 3
    waits = []
    for _ in range(7):
        waits.append(world.fails())
        world.now += waits[-1]
        assert world.fails() == 0.0
    assert waits == [1, 2, 4, 8, 16, 30, 30]


def test_what_is_refused_makes_the_wait_no_longer() -> None:
    world = World()
    for _ in range(4):
        world.fails()
    assert {world.fails() for _ in range(1000)} == {1.0}
    world.now += 1
    assert world.works() == 0.0


def test_the_right_password_wipes_the_slate() -> None:
    world = World()
    for _ in range(9):
        assert [world.fails(), world.fails(), world.works()] == [0.0] * 3


def test_an_attacker_keeps_nobody_out_from_elsewhere() -> None:
    world = World()
    for _ in range(10_000):
        world.fails(ALICE, THERE)
        world.now += 0.006
    assert world.works(ALICE, HERE) == 0.0


def test_an_attacker_keeps_no_other_account_out_that_has_not_used_up_the_address() -> None:
    world = World()
    for _ in range(100):
        world.fails(ALICE, HERE)
    assert world.works(BOB, HERE) == 0.0


def test_one_address_has_so_many_tries_over_all_accounts() -> None:
    world = World()
    waits = [world.fails(f"user-{number}") for number in range(30)]
    assert waits == [0.0] * 20 + [ADDRESS_SECONDS] * 10
    assert world.fails("user-99", THERE) == 0.0
    world.now += ADDRESS_SECONDS
    assert [world.fails("user-98"), world.fails("user-97")] == [0.0, ADDRESS_SECONDS]


def test_one_account_has_so_many_tries_over_all_addresses_it_is_not_known_at() -> None:
    world = World()
    assert world.works(ALICE, HERE) == 0.0
    waits = [world.fails(ALICE, f"198.51.100.{number}") for number in range(12)]
    assert waits == [0.0] * 8 + [ACCOUNT_SECONDS] * 4
    # Its owner, where it has been before, is let in; as is everybody else.
    assert world.works(ALICE, HERE) == 0.0
    assert world.works(BOB, "198.51.100.1") == 0.0
    world.now += ACCOUNT_SECONDS
    assert world.fails(ALICE, "198.51.100.99") == 0.0


def test_what_was_never_compared_does_not_count() -> None:
    world = World()
    for _ in range(100):
        assert world.fails() == 0.0
        world.throttle.give_back(ALICE, HERE, limits=LIMITS)


def test_tries_are_forgiven_after_a_while() -> None:
    world = World()
    for _ in range(4):
        world.fails()
    world.now += 900
    assert [world.fails() for _ in range(4)] == [0.0, 0.0, 0.0, 1.0]


def test_memory_is_bounded_whoever_tries_whatever() -> None:
    limits = LoginLimits(
        tries=1, longest_wait=30.0, address_tries=5, account_tries=5, remembered=50
    )
    world = World(limits)
    for number in range(2000):
        world.works(f"user-{number % 500}", f"address-{number}")
    assert len(world.throttle) <= 4 * 50
    # Nor does a refusal take up any.
    crowd = World()
    for number in range(1000):
        crowd.fails(f"user-{number}", HERE)
    assert len(crowd.throttle) == 20 + 20 + 1


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.booleans())))
def test_no_more_is_tried_than_the_address_may(tries: list[Any]) -> None:
    world = World()
    failed = {"x": 0, "y": 0}
    for account, address, right in tries:
        wait = world.works(account, address) if right else world.fails(account, address)
        if wait == 0.0 and not right:
            failed[address] += 1
    assert max(failed.values()) <= LIMITS.address_tries
