"""Bugs, each of a kind that systems like this have had; while one is open, the code has it."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from itertools import count
from typing import Any
from unittest.mock import patch

from sqlalchemy import Connection, bindparam, update

from leaky.provider.v1 import payment_service_pb2 as payment
from svc_analytics.usecases.ingest import Ingest
from svc_token.domain.book import Book
from svc_token.domain.bucket import BucketRule, Decision
from svc_token.domain.idempotency import Claim
from svc_token.domain.member import MemberCap
from svc_token.stores import rows, saga_statements, sql_book, sql_sagas
from svc_token.stores.buckets_memory import MemoryBuckets
from svc_token.stores.grpc_payments import GrpcPayments
from svc_token.stores.rows import key_row
from svc_token.stores.sink_grpc import GrpcSink
from svc_token.stores.sql_book import SqlBook
from svc_token.stores.sql_idempotency import SqlIdempotencyKeys
from svc_token.stores.tables import SAGAS
from svc_token.usecases.consume import Consume
from svc_token.usecases.expire_orphans import ExpireOrphans
from svc_token.usecases.quotas import GetQuota
from svc_token.workers.saga_runner import SagaRunner
from tests.simulation.town import Town

Patch = AbstractContextManager[object]


def pools_that_forget_what_is_held(_town: Town) -> Patch:
    """A store that reads a pool as if nothing of it were used."""
    real = rows.pool_from
    return patch.object(
        sql_book, "pool_from", lambda row: replace(real(row), allowance_used=0, purchased_used=0)
    )


def a_store_that_forgets_a_settle(_town: Town) -> Patch:
    """The reservation stays as if it were open, and the sweeper comes for it."""
    real = rows.reservation_row

    def row(reservation: Any) -> dict[str, Any]:
        written = real(reservation)
        return {**written, "state": "RESERVED"} if written["state"] == "SETTLED" else written

    return patch.object(sql_book, "reservation_row", row)


def a_sweeper_that_never_runs(_town: Town) -> Patch:
    """What a crash leaves behind stays held."""

    async def nothing(_self: ExpireOrphans) -> int:
        return 0

    return patch.object(ExpireOrphans, "__call__", nothing)


def a_store_that_ignores_keys(_town: Town) -> Patch:
    """Asked again, it buys again."""
    real = rows.saga_row

    def keyless(saga: Any) -> dict[str, Any]:
        return {**real(saga), "idempotency_key": None}

    stack = ExitStack()
    stack.enter_context(patch.object(sql_sagas, "_earlier", lambda *_: None))
    stack.enter_context(patch.object(sql_sagas, "saga_row", keyless))
    return stack


def a_double_capture(town: Town) -> Patch:
    """A bank that takes the money whenever it is asked to."""

    async def capture(request: Any) -> Any:
        bank = town.bank
        bank.state[request.id] = "captured"
        amount = bank.held[request.id] or bank.taken.get(request.id, 0)
        bank.taken[request.id] = bank.taken.get(request.id, 0) + amount
        bank.held[request.id] = 0
        return payment.CapturePaymentResponse()

    answers: Any = town.lines["stubs"].answer
    return patch.dict(answers, {"CapturePayment": capture})


def a_purchase_that_gives_nothing(_town: Town) -> Patch:
    """Paid for, and no tokens."""
    return patch.object(Book, "_buy", lambda *_: None)


def a_runner_that_never_runs(_town: Town) -> Patch:
    """A purchase that nobody advances."""

    async def nothing(_self: SagaRunner) -> bool:
        return False

    return patch.object(SagaRunner, "__call__", nothing)


def a_void_that_voids_nothing(_town: Town) -> Patch:
    """The money of a failed purchase stays held."""

    async def nothing(_self: GrpcPayments, _payment_id: str) -> None:
        return

    return patch.object(GrpcPayments, "void", nothing)


def a_relay_that_drops_a_row(_town: Town) -> Patch:
    """The first of each batch."""
    real = GrpcSink.publish

    async def publish(self: GrpcSink, batch: Sequence[Any]) -> None:
        await real(self, batch[1:])

    return patch.object(GrpcSink, "publish", publish)


def analytics_that_counts_twice(_town: Town) -> Patch:
    """An event that is delivered again is another one to it."""
    real, numbers = Ingest.__call__, count()

    async def ingest(self: Ingest, events: Sequence[Any]) -> int:
        return await real(
            self,
            [replace(one, event_id=f"{one.event_id[:24]}{next(numbers):012x}") for one in events],
        )

    return patch.object(Ingest, "__call__", ingest)


def a_store_that_answers_before_it_writes(_town: Town) -> Patch:
    """Each seventh transaction is acknowledged, and that was all."""
    real, numbers = SqlBook.save, count(1)

    def save(self: SqlBook, connection: Any, loaded: Any) -> None:
        if next(numbers) % 7:
            real(self, connection, loaded)

    return patch.object(SqlBook, "save", save)


def a_bucket_that_reads_computes_writes(_town: Town) -> Patch:
    """With time between the first and the last."""
    real = MemoryBuckets.take

    async def take(self: MemoryBuckets, key: str, cost: int, rule: BucketRule) -> Decision:
        before = self._levels.get(key)
        await asyncio.sleep(0.9)
        if before is not None:
            self._levels[key] = before
        else:
            self._levels.pop(key, None)
        return await real(self, key, cost, rule)

    return patch.object(MemoryBuckets, "take", take)


def a_ledger_that_leaves_out_a_line(_town: Town) -> Patch:
    """Each fifth transaction's first."""
    real, numbers = SqlBook.save, count(1)

    def save(self: SqlBook, connection: Any, loaded: Any) -> None:
        if not next(numbers) % 5:
            del loaded.book.entries[:1]
        real(self, connection, loaded)

    return patch.object(SqlBook, "save", save)


def a_cap_that_bounds_nobody(_town: Town) -> Patch:
    """A member takes what it likes."""
    return patch.object(
        MemberCap, "hold", lambda self, tokens: replace(self, used=self.used + tokens)
    )


def a_reply_that_is_made_anew(_town: Town) -> Patch:
    """The second answer under a key is not the first."""
    real, numbers = Consume.__call__, count()

    async def consume(self: Consume, *arguments: Any, **options: Any) -> Any:
        spent = await real(self, *arguments, **options)
        return replace(spent, answer=b"%d" % next(numbers))

    return patch.object(Consume, "__call__", consume)


def a_step_without_a_fence(_town: Town) -> Patch:
    """A purchase's step is written by whoever comes, whatever has become of it since."""
    values: dict[str, Any] = {column.name: bindparam(column.name) for column in SAGAS.c}
    unfenced = update(SAGAS).where(SAGAS.c.id == bindparam("its_id")).values(values)
    return patch.object(saga_statements, "MOVE", unfenced)


def a_key_that_anyone_may_drop(_town: Town) -> Patch:
    """Also who has held it before, and whatever is kept under it."""

    def drop(
        self: SqlIdempotencyKeys, connection: Connection, claims: Sequence[Claim]
    ) -> Sequence[bool]:
        self._rows.delete(connection, [key_row(claim.key) for claim in claims])
        return [True] * len(claims)

    return patch.object(SqlIdempotencyKeys, "_drop", drop)


def a_use_case_that_breaks(_town: Town) -> Patch:
    """Now and then."""

    async def breaks(_self: GetQuota, *_: object) -> Any:
        raise KeyError("a bug")

    return patch.object(GetQuota, "__call__", breaks)
