import os

import pytest

from mesh.rpc.mux.one_core import on_one_core

CORES = [
    ("127.0.0.1:8082", {3}, True),
    ("127.0.0.1:8082", {0, 1}, False),
    ("localhost:8082", {0}, True),
    ("[::1]:8082", {0}, True),
    ("10.0.0.7:8082", {0}, False),
    ("token.internal:8082", {0}, False),
    ("", {0}, False),
]


@pytest.mark.parametrize(("address", "cores", "shared"), CORES)
def test_a_peer_on_this_machine_shares_the_one_core(
    address: str, cores: set[int], shared: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: cores, raising=False)
    assert on_one_core(address)() is shared


def test_it_is_told_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    cores = {0, 1}
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: cores, raising=False)
    shares = on_one_core("127.0.0.1:8082")
    assert not shares()
    cores.remove(1)
    assert shares()


@pytest.mark.parametrize(("count", "shared"), [(1, True), (8, False), (None, True)])
def test_where_no_process_is_bound_the_machine_counts(
    count: int | None, shared: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: count)
    assert on_one_core("127.0.0.1:8082")() is shared
