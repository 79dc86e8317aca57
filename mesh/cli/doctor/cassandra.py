"""Cassandra: who may enter, what it is, and whether the keyspace is there."""

import asyncio
from typing import Any
from urllib.parse import unquote, urlsplit

from cassandra import AuthenticationFailed, DriverException
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import Cluster, NoHostAvailable
from cassandra.io.libevreactor import LibevConnection

from mesh.cli.doctor.finding import Finding, fail, ok, warn
from mesh.cli.doctor.parts import Part, away, refused

KIND = "Cassandra"
PORT = 9042
SECONDS = 5.0
# What the tests run on.
OLDEST = 5
_ANY = "select release_version from system.local"
_KEYSPACES = "select keyspace_name, replication from system_schema.keyspaces"
_NODES = "select peer from system.peers"


async def examine(part: Part) -> list[Finding]:
    """Connects as the service does, and asks."""
    try:
        return await asyncio.to_thread(_look, part)
    except ValueError:
        # What is wrong with it may quote it.
        advice = f"Write {part.variable} as cassandra://USER:PASSWORD@HOST:PORT/KEYSPACE."
        return [fail(part.setting, "is no URL of a Cassandra", advice)]


def _look(part: Part) -> list[Finding]:
    cluster = _cluster(part.url)
    try:
        session = cluster.connect()
        version = session.execute(_ANY, timeout=SECONDS).one().release_version
        keyspaces = {row[0]: row[1] for row in session.execute(_KEYSPACES, timeout=SECONDS)}
        nodes = 1 + len(list(session.execute(_NODES, timeout=SECONDS)))
    except NoHostAvailable as error:
        causes = list(error.errors.values()) if isinstance(error.errors, dict) else []
        if any(isinstance(cause, AuthenticationFailed) for cause in causes):
            return refused(part, KIND, causes[0])
        return away(part, KIND, causes[0] if causes else error)
    except (DriverException, OSError) as error:
        return away(part, KIND, error)
    finally:
        cluster.shutdown()
    return [_version(part, version, nodes), _keyspace(part, keyspaces, nodes)]


def _cluster(url: str) -> Cluster:
    parts = urlsplit(url)
    hosts = [urlsplit(f"//{host}") for host in parts.netloc.rpartition("@")[2].split(",")]
    credentials = None
    if parts.username:
        credentials = PlainTextAuthProvider(unquote(parts.username), unquote(parts.password or ""))
    return Cluster(
        contact_points=[(host.hostname, host.port or PORT) for host in hosts],
        port=hosts[0].port or PORT,
        auth_provider=credentials,
        connection_class=LibevConnection,
        connect_timeout=SECONDS,
        control_connection_timeout=SECONDS,
    )


def _version(part: Part, version: str, nodes: int) -> Finding:
    what = f"{KIND} {version} at {part.place}, {nodes} node{'s'[: nodes - 1]}"
    if int(version.partition(".")[0]) < OLDEST:
        return warn(part.setting, what, f"Use {KIND} {OLDEST} or newer: older ones are untried.")
    return ok(part.setting, what)


def _keyspace(part: Part, keyspaces: dict[str, Any], nodes: int) -> Finding:
    name = urlsplit(part.url).path.strip("/")
    if name not in keyspaces:
        return fail(part.setting, f"has no keyspace {name}", "Run leaky migrate.")
    copies = [int(one) for one in keyspaces[name].values() if str(one).isdecimal()]
    what = f"keyspace {name}, replication {'+'.join(map(str, copies))}"
    if nodes > 1 and max(copies, default=1) == 1:
        advice = f"Alter the keyspace to 3 copies and repair: one lost node loses events of {name}."
        return warn(part.setting, what, advice)
    return ok(part.setting, what)
