"""What tests listen on is theirs alone."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from socket import socket

import pytest

from tests import ports
from tests.ports import BLOCK, RANGE, free_port, free_ports

ROOT = Path(__file__).resolve().parents[1]
ASK = "from tests.ports import free_ports; print(*free_ports(200), flush=True); input()"


def test_no_port_is_handed_out_twice_and_none_the_kernel_may_give_away() -> None:
    seen = free_ports(3 * BLOCK)
    assert len({*seen, free_port()}) == 3 * BLOCK + 1
    assert all(port in RANGE for port in seen)
    told = Path("/proc/sys/net/ipv4/ip_local_port_range")
    if told.exists():
        assert max(RANGE) < int(told.read_text().split()[0])


def test_two_processes_are_given_different_ones() -> None:
    with ExitStack() as stack:
        asked = [
            stack.enter_context(
                subprocess.Popen(  # noqa: S603 our own program
                    [sys.executable, "-c", ASK],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    cwd=ROOT,
                )
            )
            for _ in range(3)
        ]
        given = [each.stdout.readline().split() for each in asked if each.stdout is not None]
        for each in asked:
            each.communicate("\n")
    assert len({port for ports in given for port in ports}) == 600


def test_what_somebody_listens_on_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    first = free_port()
    block = range(first - first % BLOCK, first - first % BLOCK + BLOCK)
    with socket() as other:
        other.bind(("127.0.0.1", block[-1]))
        monkeypatch.setattr(ports, "RANGE", block)
        assert list(ports._free()) == []
        assert not ports._unused(block[-1])


def test_that_there_are_no_more_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_numbers", iter([RANGE.start + 1]))
    with pytest.raises(RuntimeError, match="no port is free"):
        free_ports(2)
