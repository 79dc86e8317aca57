"""The checker can fail: each invariant is broken once, by a bug of its kind, and says so."""

from dataclasses import replace

import pytest

from tests.simulation import planted
from tests.simulation.checks import CHECKS
from tests.simulation.faults import Faults
from tests.simulation.run import Plant, simulate

# Everybody repeats everything, and processes die; what is lost is asked for again.
ROUGH = Faults(duplicate=0.5, lost_reply=0.1, unanswered=0.1, declined=0.2, crash_steps=600)
SEEDS = range(1, 4)
PLANTED: list[tuple[str, Plant]] = [
    ("never_overdrawn", planted.pools_that_forget_what_is_held),
    ("ends_once", planted.a_store_that_forgets_a_settle),
    ("orphans_go", planted.a_sweeper_that_never_runs),
    ("buys_once", planted.a_store_that_ignores_keys),
    ("money_is_tokens", planted.a_double_capture),
    ("money_is_tokens", planted.a_purchase_that_gives_nothing),
    ("sagas_end", planted.a_runner_that_never_runs),
    ("compensation_is_nothing", planted.a_void_that_voids_nothing),
    ("events_arrive_once", planted.a_relay_that_drops_a_row),
    ("events_arrive_once", planted.analytics_that_counts_twice),
    ("acknowledged_stays", planted.a_store_that_answers_before_it_writes),
    ("replies_are_the_first", planted.a_reply_that_is_made_anew),
    ("members_keep_to_their_caps", planted.a_cap_that_bounds_nobody),
    ("buckets_keep_their_rate", planted.a_bucket_that_reads_computes_writes),
    ("lines_add_up", planted.a_ledger_that_leaves_out_a_line),
    ("nothing_broke", planted.a_use_case_that_breaks),
]


# Where a bug shows only in towns of a kind.
SETTINGS = {
    "compensation_is_nothing": {"LEAKY_TOKEN_SAGA_SIMULATE_FAILURE": "true"},
    "buckets_keep_their_rate": {
        "LEAKY_TOKEN_BUCKET_STRATEGY": "LEAKY_BUCKET",
        "LEAKY_TOKEN_BUCKET_CAPACITY": "80",
        "LEAKY_TOKEN_BUCKET_LEAK_RATE_PER_SECOND": "5",
    },
    "members_keep_to_their_caps": {
        "LEAKY_TOKEN_BUCKET_CAPACITY": "1000",
        "LEAKY_TOKEN_BUCKET_LEAK_RATE_PER_SECOND": "100",
        "LEAKY_TOKEN_QUOTA_WINDOW": "3600",
    },
}

# Where it takes more of them: a member meets its share only now and then.
OPS = {"members_keep_to_their_caps": 240}

# What is there for those alone who are held up for longer than what they hold lasts.
FENCES: list[tuple[str, Plant]] = [
    ("sagas_end", planted.a_step_without_a_fence),
    ("acknowledged_stays", planted.a_key_that_anyone_may_drop),
]
HELD_UP = replace(ROUGH, stop=0.045, crash_steps=0)
SHORT_LEASES = {"LEAKY_TOKEN_SAGA_LEASE": "3"}


@pytest.mark.parametrize(("check", "plant"), PLANTED, ids=lambda one: getattr(one, "__name__", one))
def test_a_planted_bug_is_caught(check: str, plant: Plant) -> None:
    settings, ops = SETTINGS.get(check), OPS.get(check, 80)
    # Lazily: the first seed that meets it is enough.
    runs = (simulate(seed, ops, faults=ROUGH, plant=plant, settings=settings) for seed in SEEDS)
    assert any(found.startswith(f"{check}:") for run in runs for found in run.violations)


@pytest.mark.parametrize(("check", "plant"), FENCES, ids=lambda one: getattr(one, "__name__", one))
def test_a_missing_fence_is_caught_where_processes_are_stopped(check: str, plant: Plant) -> None:
    runs = (
        simulate(seed, faults=HELD_UP, plant=plant, settings=SHORT_LEASES) for seed in range(1, 13)
    )
    assert any(found.startswith(f"{check}:") for run in runs for found in run.violations)


@pytest.mark.parametrize("plant", [plant for _, plant in FENCES])
def test_and_nowhere_else(plant: Plant) -> None:
    assert simulate(1, faults=ROUGH, plant=plant, settings=SHORT_LEASES).violations == ()


def test_every_invariant_has_a_planted_bug() -> None:
    assert {check for check, _ in PLANTED} == {check.__name__ for check in CHECKS}


def test_without_a_bug_the_same_weather_breaks_nothing() -> None:
    assert simulate(1, 80, faults=ROUGH).violations == ()
    stopped = simulate(1, faults=HELD_UP)
    assert stopped.violations == ()
    assert stopped.figures["stops"] > 5
