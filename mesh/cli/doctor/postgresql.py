"""PostgreSQL: who may enter, what it is, and whether it keeps what it has promised."""

from typing import Any
from urllib.parse import urlsplit

import asyncpg

from mesh.cli.doctor import skew
from mesh.cli.doctor.finding import Finding, fail, ok, warn
from mesh.cli.doctor.parts import Part, away, refused

KIND = "PostgreSQL"
CONNECT_SECONDS = 5.0
# What the tests run on; older ones are not tried.
OLDEST = 15
_ASKED = """
select split_part(current_setting('server_version'), ' ', 1) as version,
  current_setting('server_version_num')::int / 10000 as major,
  current_setting('fsync') as fsync,
  current_setting('synchronous_commit') as synchronous_commit,
  current_setting('max_connections')::int as connections,
  pg_is_in_recovery() as standby,
  extract(epoch from clock_timestamp())::float as clock
"""


async def examine(part: Part) -> list[Finding]:
    """Connects as the service does, and asks."""
    try:
        connection = await asyncpg.connect(part.url, timeout=CONNECT_SECONDS)
    except (
        asyncpg.InvalidPasswordError,
        asyncpg.InvalidAuthorizationSpecificationError,
        asyncpg.InsufficientPrivilegeError,
    ) as error:
        return refused(part, KIND, error)
    except asyncpg.InvalidCatalogNameError:
        return [_no_database(part)]
    except (asyncpg.PostgresError, OSError, TimeoutError) as error:
        return away(part, KIND, error)
    except (asyncpg.InterfaceError, ValueError):
        # What is wrong with it may quote it.
        what = "is no URL of a PostgreSQL"
        advice = f"Write {part.variable} as postgresql://USER:PASSWORD@HOST:PORT/DATABASE."
        return [fail(part.setting, what, advice)]
    try:
        asked = skew.now()
        told = await connection.fetchrow(_ASKED)
        clock = skew.compared(part.setting, told["clock"], asked, skew.now())
    finally:
        await connection.close(timeout=CONNECT_SECONDS)
    return [*_judged(part, told), clock]


def _no_database(part: Part) -> Finding:
    url = urlsplit(part.url)
    name = url.path.strip("/")
    return fail(
        part.setting,
        f"{KIND} at {part.place} has no database {name}",
        f"Make it (createdb --owner {url.username} {name}), then run leaky migrate.",
    )


def _judged(part: Part, told: Any) -> list[Finding]:
    what = f"{KIND} {told['version']} at {part.place}"
    if told["standby"]:
        advice = f"Point {part.variable} at the primary."
        return [fail(part.setting, f"{what} is a standby, which takes no writes", advice)]
    found = [ok(part.setting, what)]
    if told["major"] < OLDEST:
        found = [warn(part.setting, what, f"Use {KIND} {OLDEST} or newer: older ones are untried.")]
    if told["fsync"] == "off":
        advice = "Turn fsync on."
        found.append(fail(part.setting, "fsync is off: a crash loses or breaks data", advice))
    if told["synchronous_commit"] == "off":
        lost = "synchronous_commit is off: a crash loses what was already answered"
        advice = "Turn synchronous_commit on, at least for this role."
        found.append(fail(part.setting, lost, advice))
    return found
