"""What a step costs nobody who is not followed, and tells of those who are."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from mesh.storage.database import open_sqlite
from mesh.storage.group_commit import GroupCommit
from mesh.telemetry.tracing.links import followed, sending, sent, taking
from mesh.telemetry.tracing.spans import UNFOLLOWED as NOTHING
from mesh.telemetry.tracing.spans import carried, spanning
from mesh.telemetry.tracing.tracer import TRACING
from tests import traced
from tests.traced import FOLLOWED, OUTSIDE, UNFOLLOWED, recording, step

pytestmark = pytest.mark.anyio
SECRET = "hunter2"


def test_who_is_not_followed_gets_the_same_nothing_each_time() -> None:
    with recording(), spanning("a", SpanKind.CLIENT, {}) as first:
        assert first is NOTHING
        assert spanning("b", SpanKind.CLIENT, {}) is first
        assert carried() == ""


def test_steps_are_within_each_other() -> None:
    with recording() as seen:
        with step() as call:
            assert carried().split("-")[2] == traced.id_of(call.spans[0])  # type: ignore[arg-type]
            outer_step = spanning("outer", SpanKind.INTERNAL, {"a": 1})
            with outer_step, spanning("inner", SpanKind.CLIENT, {}):
                pass
            with spanning("beside", SpanKind.CLIENT, {}):
                pass
        assert carried() == ""
    assert seen.names == ["inner", "outer", "beside", "call"]
    inner, outer, beside, whole = seen.spans
    assert traced.parent_of(inner) == traced.id_of(outer)
    assert traced.parent_of(outer) == traced.parent_of(beside) == traced.id_of(whole)
    assert dict(outer.attributes or {}) == {"a": 1}


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (AppError(REASON_UNAVAILABLE, SECRET), "UNAVAILABLE"),
        (ValueError(SECRET), "ValueError"),
        (asyncio.CancelledError(SECRET), "cancelled"),
    ],
)
def test_of_an_error_no_more_is_told_than_its_name(error: BaseException, told: str) -> None:
    with recording() as seen:
        with step(), suppress(BaseException), spanning("a", SpanKind.CLIENT, {}):
            raise error
        failed, whole = seen.spans
    assert (failed.status.status_code, failed.status.description) == (StatusCode.ERROR, told)
    assert dict(failed.attributes or {}) == {"error.type": told}
    assert whole.status.status_code is StatusCode.UNSET
    assert SECRET not in failed.to_json()


def test_the_ratio_decides_by_the_trace_id_and_nothing_without_a_tracer() -> None:
    low, high = "f" * 16 + "0" * 15 + "1", "0" * 16 + "f" * 16
    with recording(0.5):
        assert TRACING.samples(low)
        assert not TRACING.samples(high)
        TRACING.sample(1.0)
        assert TRACING.samples(high)
        TRACING.sample(0.0)
        assert not TRACING.samples(low)
    TRACING.sample(1.0)
    assert not TRACING.samples(low)
    TRACING.sample(0.0)


async def test_what_is_done_for_several_is_in_the_trace_of_each() -> None:
    async def commit(operations: Sequence[str]) -> Sequence[str]:
        with spanning("commit", SpanKind.CLIENT, {}):
            await asyncio.sleep(0)
        return operations

    commits: GroupCommit[str, str] = GroupCommit(commit)
    with recording() as seen:
        with step("a"):
            first = asyncio.ensure_future(commits.submit("a"))
        second = asyncio.ensure_future(commits.submit("unfollowed"))
        with step("b"):
            third = asyncio.ensure_future(commits.submit("b"))
        await asyncio.gather(first, second, third)
        # The next batch is nobody's.
        await commits.submit("later")
    commits_of = {traced.parent_of(span) for span in seen.spans if span.name == "commit"}
    assert commits_of == {traced.id_of(seen.one("a")), traced.id_of(seen.one("b"))}
    assert seen.names.count("commit") == 2


async def test_a_transaction_is_a_step_and_shows_no_statement(tmp_path: Path) -> None:
    async with open_sqlite(f"sqlite:///{tmp_path / 'a.db'}") as database:
        with recording() as seen:
            with step():
                async with database.write() as connection:
                    await connection.exec_driver_sql("CREATE TABLE hunter2 (n INTEGER)")
                await database.transact(lambda c: c.exec_driver_sql("SELECT 'hunter2'").all())
                await database.query(lambda c: c.exec_driver_sql("SELECT 'hunter2'").all())
                async with database.read() as connection:
                    await connection.exec_driver_sql("SELECT 'hunter2'")
            await database.query(lambda c: c.exec_driver_sql("SELECT 1").all())
    kinds = ("write", "transact", "query", "read")
    assert seen.names == [*(f"{kind} sqlite" for kind in kinds), "call"]
    for kind, span in zip(kinds, seen.spans, strict=False):
        assert dict(span.attributes or {}) == {
            "db.system.name": "sqlite",
            "db.operation.name": kind,
        }
        assert SECRET not in span.to_json()


def test_who_sends_is_in_the_trace_and_who_takes_links_to_it() -> None:
    other = FOLLOWED.replace(OUTSIDE, "1" * 16)
    with recording() as seen:
        creators = followed(["", FOLLOWED, UNFOLLOWED, "garbage", other, FOLLOWED])
        assert [one.traceparent for one in creators] == [FOLLOWED, other]
        with sending("publish", {"n": 2}, creators) as steps:
            # What carries them is in neither trace.
            assert carried() == ""
            messages = sent(steps)
        with taking("process", {}, messages), spanning("store", SpanKind.CLIENT, {}):
            pass
        assert taking("process", {}, [UNFOLLOWED, ""]) is NOTHING
    one, two, store, process = seen.spans
    assert [traced.parent_of(span) for span in (one, two)] == [OUTSIDE, "1" * 16]
    assert {one.kind, two.kind, process.kind} == {SpanKind.PRODUCER, SpanKind.CONSUMER}
    assert traced.links_of(process) == [traced.id_of(one), traced.id_of(two)]
    assert process.parent is None
    assert traced.trace_of(process) != traced.TRACE
    assert traced.parent_of(store) == traced.id_of(process)


def test_without_a_tracer_nothing_is_sent_or_taken() -> None:
    assert followed([FOLLOWED]) == []
    assert taking("process", {}, [FOLLOWED]) is NOTHING


def test_what_outlives_the_tracing_of_its_process_goes_on_unfollowed() -> None:
    with recording():
        call = step()
        call.__enter__()
    assert spanning("late", SpanKind.CLIENT, {}) is NOTHING
    call.__exit__(None, None, None)
    assert carried() == ""
