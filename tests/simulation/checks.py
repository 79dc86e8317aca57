"""What must hold when everything has come to rest. Each check yields what is wrong."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from svc_token.domain.bucket import MICRO, Strategy
from tests.simulation.audit import Audit
from tests.simulation.history import History, Outcome
from tests.simulation.town import Town
from tests.simulation.world import Grant

GRACE_US = 10 * MICRO
_BALANCES = ("allowance", "allowance_used", "purchased", "purchased_used", "debt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is left of a run."""

    town: Town
    audit: Audit
    history: History
    errors: list[str]

    def rows(self, query: str) -> list[dict[str, Any]]:
        """Of the token service's database."""
        cursor = self.town.database.raw.execute(query)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def events(self) -> list[dict[str, Any]]:
        """What analytics has of uses that were allowed."""
        cursor = self.town.warehouse.raw.execute(
            "SELECT event_id, user_id, provider, tokens FROM usage_events WHERE allowed"
        )
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def never_overdrawn(evidence: Evidence) -> Iterator[str]:
    """settled + reserved <= total at every snapshot."""
    yield from evidence.audit.overdrawn


def ends_once(evidence: Evidence) -> Iterator[str]:
    """A reservation is settled, released or expired, once; an expired one may be settled late."""
    ends: dict[tuple[str, str], list[str]] = defaultdict(list)
    for line in evidence.rows(
        "SELECT owner, ref, kind FROM ledger"
        " WHERE kind IN ('settle', 'release', 'expire') ORDER BY owner, provider, seq"
    ):
        ends[(line["owner"], line["ref"])].append(line["kind"])
    reserved = evidence.rows("SELECT * FROM reservations")
    final = {
        "SETTLED": (["settle"], ["expire", "settle"]),
        "RELEASED": (["release"],),
        "EXPIRED": (["expire"],),
    }
    for one in reserved:
        found = ends.pop((one["owner"], one["id"]), [])
        if found not in final.get(one["state"], ()):
            yield f"{one['id']} is {one['state']}, its ends are {found}"
    for key, found in ends.items():
        yield f"no reservation {key}, its ends are {found}"


def orphans_go(evidence: Evidence) -> Iterator[str]:
    """Nothing is held for longer than the reservation's time and ten seconds."""
    now, lines = evidence.town.clock.now_us(), evidence.audit.lines
    for one in evidence.rows("SELECT owner, id, state, expires_us FROM reservations"):
        ends = [
            lines.get((one["owner"], one["id"], kind), now)
            for kind in ("settle", "release", "expire")
        ]
        # Of a process that was stopped it may be written when its time is up already.
        begun = lines.get((one["owner"], one["id"], "reserve"), 0)
        late = min(ends) - max(one["expires_us"], begun)
        if late > GRACE_US:
            yield f"{one['id']} was held {late / MICRO:.1f} s beyond its time"


def buys_once(evidence: Evidence) -> Iterator[str]:
    """One purchase a principal and key, and tokens once a purchase."""
    by_key: dict[tuple[str, str], set[str]] = defaultdict(set)
    for asked in evidence.history.of("buy", Outcome.DONE):
        by_key[(asked.user_id, asked.key)].add(asked.answer.saga_id)
    for key, sagas in by_key.items():
        if len(sagas) > 1:
            yield f"key {key} bought {len(sagas)} times"
    for row in evidence.rows(
        "SELECT scope, idempotency_key, count(*) AS n FROM sagas"
        " GROUP BY scope, idempotency_key HAVING count(*) > 1"
    ):
        yield f"{row['n']} purchases of one key {row['idempotency_key']}"
    given = Counter(
        row["ref"] for row in evidence.rows("SELECT ref FROM ledger WHERE kind = 'purchase'")
    )
    for saga, times in given.items():
        if times > 1:
            yield f"purchase {saga} gave tokens {times} times"


def money_is_tokens(evidence: Evidence) -> Iterator[str]:
    """Payments captured = tokens given."""
    taken = {key: tokens for key, tokens in evidence.town.bank.taken.items() if tokens}
    given: Counter[str] = Counter()
    for line in evidence.rows("SELECT ref, tokens FROM ledger WHERE kind = 'purchase'"):
        given[line["ref"]] += line["tokens"]
    for saga in sorted(taken.keys() | given.keys()):
        if taken.get(saga, 0) != given[saga]:
            yield f"purchase {saga}: {taken.get(saga, 0)} were paid, {given[saga]} given"


def sagas_end(evidence: Evidence) -> Iterator[str]:
    """Every purchase is COMPLETED or FAILED."""
    for saga in evidence.rows("SELECT id, status, step FROM sagas"):
        if saga["status"] not in {"COMPLETED", "FAILED"} or saga["step"] != "NONE":
            yield f"purchase {saga['id']} stands at {saga['status']}, next is {saga['step']}"


def compensation_is_nothing(evidence: Evidence) -> Iterator[str]:
    """Of a purchase that failed no money is held or taken, and no tokens are given."""
    bank = evidence.town.bank
    given = {row["ref"] for row in evidence.rows("SELECT ref FROM ledger WHERE kind = 'purchase'")}
    for saga in evidence.rows("SELECT id FROM sagas WHERE status = 'FAILED'"):
        held, taken = bank.held.get(saga["id"], 0), bank.taken.get(saga["id"], 0)
        if held or taken or saga["id"] in given:
            yield f"failed purchase {saga['id']}: {held} held, {taken} taken"


def events_arrive_once(evidence: Evidence) -> Iterator[str]:
    """Each committed use is in analytics exactly once, and the sums are the ledger's."""
    told = {
        line["event_id"]: line["tokens"]
        for line in evidence.rows("SELECT event_id, tokens FROM ledger WHERE kind = 'settle'")
    }
    stored = evidence.events()
    times = Counter(event["event_id"] for event in stored)
    for event_id in sorted(told.keys() | times.keys()):
        if times[event_id] != (1 if event_id in told else 0):
            yield f"event {event_id} is {times[event_id]} times in analytics"
    if sum(told.values()) != sum(event["tokens"] for event in stored):
        yield f"the ledger settled {sum(told.values())} tokens, analytics has another sum"
    for row in evidence.rows("SELECT event_id FROM outbox"):
        yield f"event {row['event_id']} never left"


def acknowledged_stays(evidence: Evidence) -> Iterator[str]:
    """What a client was told is so, is so; what was refused has cost nothing."""
    reserved = {row["id"]: row for row in evidence.rows("SELECT * FROM reservations")}
    yield from _spent(evidence, {id_ for id_, row in reserved.items() if row["state"] == "SETTLED"})
    yield from _metered(evidence, reserved)
    sagas = {row["id"] for row in evidence.rows("SELECT id FROM sagas")}
    for asked in evidence.history.of("buy", Outcome.DONE):
        if asked.answer.saga_id not in sagas:
            yield f"purchase {asked.answer.saga_id} was begun and is gone"


def _spent(evidence: Evidence, settled: set[str]) -> Iterator[str]:
    charged: Counter[str] = Counter()
    for prompt, hold in set(evidence.town.provider.answered):
        charged[prompt] += hold in settled
    calls: dict[str, list[Outcome]] = defaultdict(list)
    for asked in evidence.history.calls:
        if asked.verb == "consume":
            calls[asked.prompt].append(asked.outcome)
    for prompt, outcomes in calls.items():
        if charged[prompt] > 1:
            yield f"call {prompt} is charged {charged[prompt]} times"
        if Outcome.DONE in outcomes and not charged[prompt]:
            yield f"call {prompt} was answered and is not charged"
        if set(outcomes) == {Outcome.REFUSED} and charged[prompt]:
            yield f"call {prompt} was refused and is charged"


def _metered(evidence: Evidence, reserved: dict[str, dict[str, Any]]) -> Iterator[str]:
    nothing = {"state": "", "settled": 0}
    for asked in evidence.history.of("reserve", Outcome.DONE):
        if asked.key not in reserved:
            yield f"reservation {asked.key} was begun and is gone"
    for asked in evidence.history.of("settle", Outcome.DONE):
        row = reserved.get(asked.key, nothing)
        if (row["state"], row["settled"]) != ("SETTLED", asked.tokens):
            yield f"{asked.key} was settled with {asked.tokens}, it is {dict(row)}"
    for asked in evidence.history.of("release", Outcome.DONE):
        row = reserved.get(asked.key, nothing)
        late = {"EXPIRED", "SETTLED"} if asked.answer.state == "EXPIRED" else set()
        if row["state"] not in {asked.answer.state, *late}:
            yield f"{asked.key} was released, it is {dict(row)}"


def replies_are_the_first(evidence: Evidence) -> Iterator[str]:
    """Under one key everybody gets the same answer."""
    answers: dict[tuple[str, str, str], set[bytes]] = defaultdict(set)
    for verb in ("consume", "buy", "open"):
        for asked in evidence.history.of(verb, Outcome.DONE):
            if asked.key:
                said = asked.answer.SerializeToString(deterministic=True)
                answers[(verb, asked.user_id, asked.key)].add(said)
    for key, said in answers.items():
        if len(said) > 1:
            yield f"{key} has {len(said)} answers"


def members_keep_to_their_caps(evidence: Evidence) -> Iterator[str]:
    """A member's reservation within an organisation's pool is within the member's cap."""
    yield from evidence.audit.uncapped


def buckets_keep_their_rate(evidence: Evidence) -> Iterator[str]:
    """admitted <= capacity + rate x time, over any stretch of time and all instances."""
    by_key: dict[str, list[Grant]] = defaultdict(list)
    for grant in evidence.town.buckets.grants:
        by_key[grant.key].append(grant)
    for key, grants in by_key.items():
        rule = grants[0].rule
        for first in range(len(grants)):
            if _too_much(grants[first:]):
                yield f"{key}: more than {rule.capacity} + {rule.rate}/s from {first} on"
                break


def _too_much(grants: list[Grant]) -> bool:
    rule, start, admitted = grants[0].rule, grants[0].at_us, 0
    for grant in grants:
        admitted += grant.tokens
        if rule.strategy is Strategy.FIXED_WINDOW:
            windows = grant.at_us // rule.window_us - start // rule.window_us
            most = rule.capacity * (1 + windows) * MICRO
        else:
            most = rule.capacity * MICRO + rule.rate * (grant.at_us - start) // MICRO
        if admitted * MICRO > most:
            return True
    return False


def lines_add_up(evidence: Evidence) -> Iterator[str]:
    """A pool's lines are numbered without a gap, and their sums are its balances."""
    lines: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for line in evidence.rows("SELECT * FROM ledger ORDER BY owner, provider, seq"):
        lines[(line["owner"], line["provider"])].append(line)
    held: Counter[tuple[str, str]] = Counter()
    for one in evidence.rows("SELECT * FROM reservations WHERE state = 'RESERVED'"):
        held[(one["owner"], one["provider"])] += one["held_allowance"] + one["held_purchased"]
    for pool in evidence.rows("SELECT * FROM pools"):
        key = (pool["owner"], pool["provider"])
        mine = lines.pop(key, [])
        if [line["seq"] for line in mine] != list(range(1, pool["seq"] + 1)):
            yield f"{key}: of {pool['seq']} lines there are {len(mine)}"
        for name in _BALANCES:
            total = sum(line[name] for line in mine)
            if total != pool[name]:
                yield f"{key}: {name} is {pool[name]}, its lines add up to {total}"
        if sum(line["held"] for line in mine) != held[key]:
            yield f"{key}: {held[key]} are held, the lines say another sum"
    for key in lines:
        yield f"{key} has lines and is no pool"


def nothing_broke(evidence: Evidence) -> Iterator[str]:
    """No call ended in an unexpected error, and no loop met one."""
    yield from evidence.errors
    yield from evidence.town.loop.faults
    for asked in evidence.history.calls:
        if asked.outcome is Outcome.BROKEN:
            yield f"call {asked.number} ({asked.verb}) ended as INTERNAL"


CHECKS: tuple[Callable[[Evidence], Iterator[str]], ...] = (
    never_overdrawn,
    ends_once,
    orphans_go,
    buys_once,
    money_is_tokens,
    sagas_end,
    compensation_is_nothing,
    events_arrive_once,
    acknowledged_stays,
    replies_are_the_first,
    members_keep_to_their_caps,
    buckets_keep_their_rate,
    lines_add_up,
    nothing_broke,
)


def violations_of(evidence: Evidence) -> Iterator[str]:
    """Each begins with the name of the check that it breaks."""
    for check in CHECKS:
        for wrong in check(evidence):
            yield f"{check.__name__}: {wrong}"
