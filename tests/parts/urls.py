"""Where the real parts are, for tests that want one; `make test-full` tells.

Without these variables only the embedded stores are tested. Each part's own
module beside this one makes a fresh corner of it for a test.
"""

import os

POSTGRESQL = "PARTS_POSTGRESQL"
REDIS = "PARTS_REDIS"
KAFKA = "PARTS_KAFKA"
CASSANDRA = "PARTS_CASSANDRA"
CONSUL = "PARTS_CONSUL"
# Its query API, and where it takes OTLP.
JAEGER = "PARTS_JAEGER"
JAEGER_OTLP = "PARTS_JAEGER_OTLP"
# The file with a token that may do everything.
CONSUL_TOKEN_FILE = "PARTS_CONSUL_TOKEN_FILE"
# What the parameters of contract suites call them.
REAL = ("postgresql", "redis", "kafka", "cassandra", "consul")


def url(part: str) -> str:
    """The part's URL, empty where it does not run."""
    return os.environ.get(part, "")


def backends(embedded: str, **real: str) -> list[str]:
    """The parameters of a contract suite: the embedded store, and each real one that runs."""
    return [embedded, *(name for name, part in real.items() if url(part))]
