"""A keyspace's schema, read as CQL or made from it; Cassandra's own shell comes in no package.

cassandra-schema.py read cassandra://HOST:PORT KEYSPACE   prints it
cassandra-schema.py write cassandra://HOST:PORT FILE      makes it, prints the keyspace's name
"""

import sys
from pathlib import Path
from urllib.parse import urlsplit

from cassandra import DriverException
from cassandra.cluster import (
    EXEC_PROFILE_DEFAULT,
    Cluster,
    ExecutionProfile,
    NoHostAvailable,
    Session,
)
from cassandra.policies import WhiteListRoundRobinPolicy

TIMEOUT_SECONDS = 60.0
# One statement ends where the next begins: no text in a schema can hold this line.
BETWEEN = "\n-- next statement\n"


def read(session: Session, keyspace: str) -> str:
    """The statements that make a keyspace, in the order in which they may run."""
    described = session.execute(f'DESCRIBE KEYSPACE "{keyspace}"', timeout=TIMEOUT_SECONDS)
    return BETWEEN.join(row.create_statement for row in described) + "\n"


def write(session: Session, schema: str) -> str:
    """Makes it; an error when the keyspace is there already."""
    statements = schema.split(BETWEEN)
    for statement in statements:
        session.execute(statement, timeout=TIMEOUT_SECONDS)
    return statements[0].split()[2].strip('"')


def main(verb: str, url: str, what: str) -> None:
    """Prints to standard output what the verb gives."""
    address = urlsplit(url)
    only = ExecutionProfile(WhiteListRoundRobinPolicy([address.hostname]))
    with Cluster(
        [address.hostname],
        port=address.port or 9042,
        protocol_version=5,
        execution_profiles={EXEC_PROFILE_DEFAULT: only},
    ) as cluster:
        session = cluster.connect()
        print(write(session, Path(what).read_text()) if verb == "write" else read(session, what))


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in {"read", "write"}:  # noqa: PLR2004
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except (DriverException, NoHostAvailable) as error:
        sys.exit(f"cassandra-schema: {error}")
