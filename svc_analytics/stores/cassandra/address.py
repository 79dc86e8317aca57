"""Where a Cassandra is: cassandra://[user:password@]host:port[,host:port]/keyspace."""

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

PORT = 9042
_KEYSPACE = re.compile(r"[a-z][a-z0-9_]{0,47}")
_HOST = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(?::(?P<port>\d{1,5}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """What the URL says.

    `?replication=3` is for new keyspaces, `&dc=NAME` names the data centre
    that they are kept in and that is asked.
    """

    hosts: tuple[tuple[str, int], ...]
    keyspace: str
    username: str = ""
    password: str = field(default="", repr=False)
    replication: int = 1
    datacenter: str = ""

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Raises ValueError, which never shows the URL: it may hold a password."""
        parts = urlsplit(url)
        credentials, _, hosts = parts.netloc.rpartition("@")
        username, _, password = credentials.partition(":")
        query = parse_qs(parts.query)
        keyspace = parts.path.removeprefix("/")
        if not _KEYSPACE.fullmatch(keyspace):
            raise ValueError("a Cassandra URL ends with /KEYSPACE: lower case letters, digits, _")
        return cls(
            hosts=tuple(_host(host) for host in hosts.split(",")),
            keyspace=keyspace,
            username=unquote(username),
            password=unquote(password),
            replication=_replication(query.get("replication", ["1"])[0]),
            datacenter=_datacenter(query.get("dc", [""])[0]),
        )


def _host(text: str) -> tuple[str, int]:
    matched = _HOST.fullmatch(text)
    if matched is None or not 0 < int(matched["port"] or PORT) <= 0xFFFF:  # noqa: PLR2004
        raise ValueError("a Cassandra URL begins with cassandra://HOST:PORT[,HOST:PORT]")
    return matched["host"].strip("[]"), int(matched["port"] or PORT)


def _replication(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d?", text):
        raise ValueError("replication in a Cassandra URL is a number from 1 on")
    return int(text)


def _datacenter(text: str) -> str:
    # It becomes part of a statement.
    if not re.fullmatch(r"[\w.-]*", text):
        raise ValueError("dc in a Cassandra URL is a name of letters, digits, _ . -")
    return text
