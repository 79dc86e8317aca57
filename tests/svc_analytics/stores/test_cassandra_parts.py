"""What of the Cassandra store needs no Cassandra."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svc_analytics.domain.window import Window
from svc_analytics.stores.cassandra.address import Address
from svc_analytics.stores.cassandra.calendar import HOUR_US, hour_window, overlap, spans
from svc_analytics.stores.cassandra.statements import revisions, split, statements

AGAIN = re.compile(r" IF (NOT )?EXISTS |^TRUNCATE ")


def test_a_url_says_where_and_as_whom() -> None:
    address = Address.parse(
        "cassandra://leaky:p%40ss%3Aw%2Ford@one:19042,two,[::1]:9043/usage?replication=3&dc=west"
    )
    assert address == Address(
        hosts=(("one", 19042), ("two", 9042), ("::1", 9043)),
        keyspace="usage",
        username="leaky",
        password="p@ss:w/ord",
        replication=3,
        datacenter="west",
    )
    assert "p@ss" not in repr(address)


def test_a_short_url_is_enough() -> None:
    assert Address.parse("cassandra://one/usage") == Address(
        hosts=(("one", 9042),), keyspace="usage"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        "cassandra://u:s3cr3t@one:9042",
        "cassandra://u:s3cr3t@one:9042/Usage",
        "cassandra://u:s3cr3t@one:9042/usage/more",
        "cassandra://u:s3cr3t@one:9042/drop;",
        "cassandra://u:s3cr3t@/usage",
        "cassandra://u:s3cr3t@one:x/usage",
        "cassandra://u:s3cr3t@one:0/usage",
        "cassandra://u:s3cr3t@one:70000/usage",
        "cassandra://u:s3cr3t@one,,two/usage",
        "cassandra://u:s3cr3t@one/usage?replication=0",
        "cassandra://u:s3cr3t@one/usage?replication=many",
        "cassandra://u:s3cr3t@one/usage?dc=a'b",
    ],
)
def test_a_wrong_url_is_refused_without_its_password(wrong: str) -> None:
    with pytest.raises(ValueError, match="Cassandra URL") as refused:
        Address.parse(wrong)
    assert "s3cr3t" not in str(refused.value)


def test_every_statement_has_its_name_and_every_revision_its_number() -> None:
    for name, cql in statements("there").items():
        assert name.split("_")[0] in {
            "revision",
            "put",
            "known",
            "days",
            "marks",
            "totals",
            "rollups",
            "rollup",
            "uses",
            "newest",
            "oldest",
            "drop",
        }
        assert "there." in cql
        assert cql.split()[0] in {"SELECT", "INSERT", "DELETE"}
    assert list(revisions()) == [f"{number:04d}" for number in range(1, len(revisions()) + 1)]


def test_a_revision_is_split_into_its_statements() -> None:
    text = "-- One; of two.\nCREATE a (\n  b int -- not; here\n);\n\nCREATE c;\n"
    assert list(split(text)) == ["CREATE a (\n  b int \n)", "CREATE c"]
    for file in revisions().values():
        # Each may run again: `leaky migrate` may have been cut short.
        assert all(AGAIN.search(statement) for statement in split(file.read_text()))


@given(
    hours=st.sets(st.integers(0, 30)),
    start=st.integers(0, 30 * HOUR_US),
    length=st.integers(1, 30 * HOUR_US),
)
def test_spans_cover_the_hours_within_the_window_once(
    hours: set[int], start: int, length: int
) -> None:
    window = Window(start_us=start, end_us=start + length)
    inside = {hour for hour in hours if overlap(window, hour_window(hour))}
    found = list(spans(inside, window))
    expected = sum(
        min(hour_window(hour).end_us, window.end_us) - max(hour_window(hour).start_us, start)
        for hour in inside
    )
    assert sum(span.length_us for span in found) == expected
    for span in found:
        assert window.start_us <= span.start_us < span.end_us <= window.end_us
        assert all(
            hour in inside
            for hour in range(span.start_us // HOUR_US, (span.end_us - 1) // HOUR_US + 1)
        )
    assert all(one.end_us < other.start_us for one, other in itertools.pairwise(found))
