import re

import pytest

from bench.lua import lua
from bench.plan import Load, Request
from bench.wrk import parse

SOUND = """Running 2s test @ http://127.0.0.1:8080
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.38ms  310.45us   9.02ms   93.09%
    Req/Sec    11.75k     1.02k   13.01k    80.00%
  Latency Distribution
     50%    1.33ms
     75%    1.45ms
     90%    1.58ms
     99%    2.61ms
  23400 requests in 2.00s, 4.71MB read
Requests/sec:  11692.60
Transfer/sec:      2.35MB
"""
TROUBLED = """Running 1s test @ http://127.0.0.1:8080
  Latency Distribution
     50%  612.00us
     75%    1.10s
     90%    1.21s
     99%    1.50s
  90 requests in 1.50m, 0.10MB read
  Socket errors: connect 1, read 2, write 0, timeout 4
  Non-2xx or 3xx responses: 31
"""


def test_the_figures_in_our_units() -> None:
    load = parse(SOUND)
    assert load == Load(answered=23400, refused=0, broken=0, seconds=2.0, p50_ms=1.33, p99_ms=2.61)
    assert load.per_second == 11700
    assert load.problem == ""


def test_other_units_and_what_went_wrong() -> None:
    # wrk puts a blank after plain seconds.
    load = parse(re.sub(r"%(.*\ds)\n", r"%\1 \n", TROUBLED))
    assert load.p50_ms == pytest.approx(0.612)
    assert (load.p99_ms, load.seconds) == (1500.0, 90.0)
    assert (load.refused, load.broken) == (31, 7)
    assert load.problem == "31 answers were refusals, 7 connections broke"


def test_no_answers_are_a_problem() -> None:
    assert parse(SOUND.replace("23400", "0")).problem == "no answers"


@pytest.mark.parametrize("cut", ["99%", "requests in"])
def test_what_wrk_does_not_print_is_refused(cut: str) -> None:
    with pytest.raises(ValueError, match="not what wrk prints"):
        parse(SOUND.replace(cut, ""))


def test_the_script_names_each_request() -> None:
    script = lua(
        (
            Request(method="GET", path="/a?b=c"),
            Request(method="POST", path="/d", headers={"X-Api-Key": "k"}, body='{"n":"\\\\"}'),
        )
    )
    assert 'wrk.format("GET", "/a?b=c", {}, nil)' in script
    formatted = r'wrk.format("POST", "/d", {["X-Api-Key"] = "k"}, "{\"n\":\"\\\\\"}")'
    assert formatted in script


@pytest.mark.parametrize("text", ["grüezi", "two\nlines"])
def test_text_that_lua_would_read_otherwise_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not plain text"):
        lua((Request(method="POST", path="/", body=text),))
