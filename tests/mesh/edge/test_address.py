"""Whose address counts."""

import pytest

from mesh.edge.address import Addresses, counted

PROXIES = "10.0.0.0/8,fd00::/8"


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.7", "", "203.0.113.7"),
        # Nobody whom we trust says so.
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
        ("::ffff:203.0.113.7", "198.51.100.1", "203.0.113.7"),
        ("2001:db8:1:2:aaaa::1", "", "2001:db8:1:2:aaaa::1"),
        ("2001:DB8::0:1", "", "2001:db8::1"),
        ("fe80::1%eth0", "", "fe80::1%eth0"),
        ("testclient", "198.51.100.1", "testclient"),
        ("", "", ""),
    ],
)
def test_without_proxies_it_is_the_peer(peer: str, forwarded: str, client: str) -> None:
    assert Addresses("").client(peer, forwarded) == client


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.1.1.1", "203.0.113.7", "203.0.113.7"),
        # What is left of the last hop that no proxy of ours added is the client's own invention.
        ("10.1.1.1", "6.6.6.6, 203.0.113.7", "203.0.113.7"),
        ("10.1.1.1", "6.6.6.6, 203.0.113.7, 10.2.2.2", "203.0.113.7"),
        ("10.1.1.1", "6.6.6.6,10.3.3.3 , 203.0.113.7,10.2.2.2", "203.0.113.7"),
        ("::ffff:10.1.1.1", "203.0.113.7", "203.0.113.7"),
        ("10.1.1.1", "::ffff:203.0.113.7", "203.0.113.7"),
        ("fd00::1", "2001:db8:1:2::9", "2001:db8:1:2::9"),
        # A proxy that says nothing, or nonsense, counts itself.
        ("10.1.1.1", "", "10.1.1.1"),
        ("10.1.1.1", "unknown", "10.1.1.1"),
        ("10.1.1.1", "203.0.113.7, unknown", "10.1.1.1"),
        ("10.1.1.1", "10.2.2.2", "10.2.2.2"),
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
    ],
)
def test_behind_proxies_the_it_is_the_last_hop_that_is_none(
    peer: str, forwarded: str, client: str
) -> None:
    assert Addresses(PROXIES).client(peer, forwarded) == client


@pytest.mark.parametrize(
    ("client", "as_"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:bbbb::2", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_the_addresses_of_one_customer_count_together(client: str, as_: str) -> None:
    assert counted(client) == as_


def test_a_request_is_its_sender_s_past_the_proxies_that_are_trusted() -> None:
    headers = [(b"x-forwarded-for", b"6.6.6.6"), (b"x-forwarded-for", b"203.0.113.7")]
    scope = {"type": "http", "client": ("10.1.1.1", 4711), "headers": headers}
    assert Addresses("").of(scope) == "10.1.1.1"
    assert Addresses(PROXIES).of(scope) == "203.0.113.7"
    assert Addresses(PROXIES).of({**scope, "client": None}) == ""
