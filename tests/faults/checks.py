"""Compares what callers were told with what all books say, once all is quiet.

Nothing here asks a service, and no figure of a service is believed: the caps are
those that the run was set up with, the money is what the payment books say.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tests.faults.books import Books, Row
from tests.faults.history import Kind, Op, Outcome
from tests.faults.watch import Stretch

BALANCES = ("allowance", "allowance_used", "purchased", "purchased_used", "debt")
# How a reservation may end; a late settle comes after an expiry.
ENDS = [["settle"], ["release"], ["expire"], ["expire", "settle"]]
# How long an orphan may be held beyond its time while there is somebody to free it.
SWEPT_SECONDS = 10.0


class Wrong(StrEnum):
    """The three figures."""

    LOST = "lost"
    DOUBLE = "double"
    OVER = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One violation."""

    wrong: Wrong
    text: str


def check(
    ops: Sequence[Op], books: Books, *, allowance: int, watched: Sequence[Stretch]
) -> list[Finding]:
    """Every violation; `allowance` is each user's own tokens.

    An orphan is free SWEPT_SECONDS after its time. That is counted within each
    stretch that is `watched` by itself, from the later of its beginning and the
    reservation's expiry: where all instances were killed, from when one is back.
    """
    return [
        *_consumes(ops, books),
        *_reservations(ops, books),
        *_orphans(books, watched),
        *_purchases(ops, books),
        *_money(books),
        *_events(books),
        *_sums(books),
        *_caps(ops, books, allowance),
    ]


def uncharged(ops: Iterable[Op], books: Books) -> int:
    """Calls that the provider answered and nobody paid for, of consumers that got no answer.

    The limit of calling somebody else's API: the process was killed between the
    provider's answer and the charge. The hold came free by the sweeper.
    """
    settled = _settled(books)
    answered = {call.mark: call.request_id for call in books.calls}
    unknown = [op for op in _of(ops, Kind.CONSUME) if op.outcome is not Outcome.DONE]
    return sum(op.ref in answered and answered[op.ref] not in settled for op in unknown)


def late_seconds(books: Books, watched: Sequence[Stretch] | None = None) -> float:
    """The longest that an orphan was held beyond its time, within one of the stretches.

    None counts all of the time, whatever was down meanwhile.
    """
    return max((late for _, late in _late(books, watched)), default=0.0)


def _late(books: Books, watched: Sequence[Stretch] | None) -> Iterator[tuple[str, float]]:
    """Each orphan, and for how many seconds it was held beyond its time."""
    ends = {row["id"]: row["expires_us"] for row in books.reservations}
    for line in books.ledger:
        if line["kind"] == "expire" and line["ref"] in ends:
            due_us, free_us = ends[line["ref"]], line["at_us"]
            every = [Stretch(due_us, free_us)] if watched is None else watched
            within = (min(free_us, one.ended_us) - max(due_us, one.begun_us) for one in every)
            yield line["ref"], max(0, max(within, default=0)) / 1_000_000


def _consumes(ops: Iterable[Op], books: Books) -> Iterator[Finding]:
    settled = _settled(books)
    calls: dict[str, list[str]] = defaultdict(list)
    for call in books.calls:
        calls[call.mark].append(call.request_id)
    for op in _of(ops, Kind.CONSUME):
        asked = calls.get(op.ref, [])
        charged = [settled[one] for one in dict.fromkeys(asked) if one in settled]
        if len(charged) > 1 or (len(asked) > 1 and not op.keyed):
            text = f"reached the provider {len(asked)} times, charged were {charged}"
            yield _double(f"consume {op.ref} {text}")
        if op.outcome is Outcome.DONE and charged != [op.tokens]:
            yield _lost(f"consume {op.ref} of {op.tokens} was answered, charged were {charged}")
        if op.outcome is Outcome.REFUSED and charged:
            yield _double(f"consume {op.ref} was refused ({op.why}) and charged {charged}")


def _reservations(ops: Iterable[Op], books: Books) -> Iterator[Finding]:
    lines: dict[str, dict[str, Row]] = defaultdict(dict)
    ends: dict[str, list[str]] = defaultdict(list)
    for line in books.ledger:
        if line["kind"] in {"reserve", "settle", "release", "expire"}:
            lines[line["ref"]][line["kind"]] = line
        if line["kind"] in {"settle", "release", "expire"}:
            ends[line["ref"]].append(line["kind"])
    for op in ops:
        yield from _reservation(op, lines.get(op.ref, {}))
    for ref, kinds in ends.items():
        if sorted(kinds) not in ENDS:
            yield _double(f"reservation {ref} ended {kinds}")
    for row in books.reservations:
        if row["state"] == "RESERVED":
            yield _lost(f"reservation {row['id']} never came free")


def _orphans(books: Books, watched: Sequence[Stretch]) -> Iterator[Finding]:
    for ref, late in _late(books, watched):
        if late > SWEPT_SECONDS:
            yield _lost(f"reservation {ref} came free {late:.1f} s after somebody could free it")


def _reservation(op: Op, lines: Mapping[str, Row]) -> Iterator[Finding]:
    if op.kind is Kind.RELEASE and op.outcome is Outcome.DONE:
        if not lines.keys() & {"release", "expire"}:
            yield _lost(f"the release of {op.ref} was answered and is not in the ledger")
    elif op.kind in {Kind.RESERVE, Kind.SETTLE}:
        line = lines.get(op.kind.value)
        if op.outcome is Outcome.DONE and (line is None or line["tokens"] != op.tokens):
            yield _lost(f"the {op.kind} of {op.ref} was answered and is not in the ledger")
        if op.outcome is Outcome.REFUSED and line is not None and op.kind is Kind.RESERVE:
            yield _double(f"the {op.kind} of {op.ref} was refused ({op.why}) and done")


def _purchases(ops: Iterable[Op], books: Books) -> Iterator[Finding]:
    known = {row["id"] for row in books.sagas}
    keys = Counter((row["scope"], row["idempotency_key"]) for row in books.sagas)
    for key, count in keys.items():
        if count > 1 and key[1] is not None:
            yield _double(f"{count} purchases under the key {key[1]}")
    for op in _of(ops, Kind.PURCHASE):
        if len(set(op.said)) > 1:
            yield _double(f"the key {op.ref} was answered with {sorted(set(op.said))}")
        if missing := set(op.said) - known:
            yield _lost(f"purchase {missing} was answered and is not there")


def _money(books: Books) -> Iterator[Finding]:
    captured = _captured(books)
    given = [line for line in books.ledger if line["kind"] == "purchase"]
    for saga in books.sagas:
        if saga["step"] != "NONE":
            yield _lost(f"purchase {saga['id']} stands at {saga['step']}")
        elif (saga["status"] == "COMPLETED") != (saga["id"] in captured):
            yield _lost(f"purchase {saga['id']} is {saga['status']}, not so its payment")
    held = [row["id"] for row in books.payments if row["state"] == "AUTHORIZED"]
    yield from (_lost(f"the money of {id_} is held for good") for id_ in held)
    twice = [ref for ref, count in Counter(line["ref"] for line in given).items() if count > 1]
    yield from (_double(f"the tokens of purchase {ref} were given twice") for ref in twice)
    tokens = {line["ref"]: line["tokens"] for line in given}
    for id_ in captured.keys() - tokens.keys():
        yield _lost(f"payment {id_} was taken, no tokens were given")
    for ref, count in tokens.items():
        if captured.get(ref) != count:
            yield _over(f"{count} tokens were given for {captured.get(ref)} paid, purchase {ref}")


def _events(books: Books) -> Iterator[Finding]:
    told = {line["event_id"]: line["tokens"] for line in books.ledger if line["event_id"]}
    seen: dict[str, int] = {}
    for event in books.events:
        if not event["allowed"]:
            continue
        if event["event_id"] in seen or event["event_id"] not in told:
            yield _double(f"analytics has event {event['event_id']} that nothing was charged for")
        seen[event["event_id"]] = event["tokens"]
    for row in books.waiting:
        yield _lost(f"event {row['event_id']} never left the outbox")
    for id_, tokens in told.items():
        if id_ not in seen:
            yield _lost(f"event {id_} is not in analytics")
        elif seen[id_] != tokens:
            yield _double(f"event {id_} says {seen[id_]}, the ledger {tokens}")


def _sums(books: Books) -> Iterator[Finding]:
    """Balances are the sums of their lines, and at no line is more used than there is."""
    sums: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for line in sorted(
        books.ledger, key=lambda line: (line["owner"], line["provider"], line["seq"])
    ):
        key = (line["owner"], line["provider"])
        running = sums[key]
        running.update({name: line[name] for name in BALANCES})
        running["seq"] += 1
        if line["seq"] != running["seq"]:
            yield _lost(f"line {running['seq']} of {key} is missing")
            running["seq"] = line["seq"]
        if _exceeded(running):
            yield _over(f"line {line['seq']} of {key} leaves {dict(running)}")
    for pool in books.pools:
        key = (pool["owner"], pool["provider"])
        lines = {name: sums[key][name] for name in (*BALANCES, "seq")}
        stands = {name: pool[name] for name in (*BALANCES, "seq")}
        if lines != stands:
            less = stands["allowance_used"] + stands["purchased_used"] < (
                lines["allowance_used"] + lines["purchased_used"]
            )
            text = f"pool {key} is {stands}, its lines make {lines}"
            yield _lost(text) if less or lines["seq"] > stands["seq"] else _double(text)
    for key in sums.keys() - {(pool["owner"], pool["provider"]) for pool in books.pools}:
        yield _lost(f"pool {key} is gone, its lines are there")


def _exceeded(running: Mapping[str, int]) -> bool:
    return (
        running["allowance_used"] > running["allowance"]
        or running["purchased_used"] > running["purchased"]
    )


def _caps(ops: Iterable[Op], books: Books, allowance: int) -> Iterator[Finding]:
    """What callers were told that they spent is at most what they own, by the payment books."""
    spent: Counter[str] = Counter()
    for op in ops:
        if op.outcome is Outcome.DONE and op.kind in {Kind.CONSUME, Kind.SETTLE}:
            spent[op.user_id] += op.tokens
    captured = _captured(books)
    owned: Counter[str] = Counter()
    for saga in books.sagas:
        owned[saga["user_id"]] += captured.get(saga["id"], 0)
    for pool in books.pools:
        owned[pool["owner"].removeprefix("user:")] += pool["debt"]
    for user, tokens in spent.items():
        if tokens > allowance + owned[user]:
            yield _over(f"{user} spent {tokens} of {allowance} + {owned[user]}")


def _settled(books: Books) -> dict[str, int]:
    return {line["ref"]: line["tokens"] for line in books.ledger if line["kind"] == "settle"}


def _captured(books: Books) -> dict[str, int]:
    return {row["id"]: row["tokens"] for row in books.payments if row["state"] == "CAPTURED"}


def _of(ops: Iterable[Op], kind: Kind) -> list[Op]:
    return [op for op in ops if op.kind is kind]


def _lost(text: str) -> Finding:
    return Finding(wrong=Wrong.LOST, text=text)


def _double(text: str) -> Finding:
    return Finding(wrong=Wrong.DOUBLE, text=text)


def _over(text: str) -> Finding:
    return Finding(wrong=Wrong.OVER, text=text)
