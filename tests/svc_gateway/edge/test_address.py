"""Whose address counts."""

import pytest

from svc_gateway.edge.address import Addresses

PROXIES = "10.0.0.0/8,fd00::/8"


@pytest.mark.parametrize(
    ("peer", "forwarded", "counted"),
    [
        ("203.0.113.7", "", "203.0.113.7"),
        # Nobody whom we trust says so.
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
        ("::ffff:203.0.113.7", "198.51.100.1", "203.0.113.7"),
        ("2001:db8:1:2:aaaa::1", "", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:bbbb::2", "", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "", "fe80::/64"),
        ("testclient", "198.51.100.1", "testclient"),
        ("", "", ""),
    ],
)
def test_without_proxies_the_peer_counts(peer: str, forwarded: str, counted: str) -> None:
    assert Addresses("").client(peer, forwarded) == counted


@pytest.mark.parametrize(
    ("peer", "forwarded", "counted"),
    [
        ("10.1.1.1", "203.0.113.7", "203.0.113.7"),
        # What is left of the last hop that no proxy of ours added is the client's own invention.
        ("10.1.1.1", "6.6.6.6, 203.0.113.7", "203.0.113.7"),
        ("10.1.1.1", "6.6.6.6, 203.0.113.7, 10.2.2.2", "203.0.113.7"),
        ("10.1.1.1", "6.6.6.6,10.3.3.3 , 203.0.113.7,10.2.2.2", "203.0.113.7"),
        ("::ffff:10.1.1.1", "203.0.113.7", "203.0.113.7"),
        ("10.1.1.1", "::ffff:203.0.113.7", "203.0.113.7"),
        ("fd00::1", "2001:db8:1:2::9", "2001:db8:1:2::/64"),
        # A proxy that says nothing, or nonsense, counts itself.
        ("10.1.1.1", "", "10.1.1.1"),
        ("10.1.1.1", "unknown", "10.1.1.1"),
        ("10.1.1.1", "203.0.113.7, unknown", "10.1.1.1"),
        ("10.1.1.1", "10.2.2.2", "10.2.2.2"),
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
    ],
)
def test_behind_proxies_the_last_hop_that_is_none_counts(
    peer: str, forwarded: str, counted: str
) -> None:
    assert Addresses(PROXIES).client(peer, forwarded) == counted
