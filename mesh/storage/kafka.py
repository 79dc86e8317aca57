"""What every client of Kafka here shares: the address, the topics, what an absence is called."""

import logging
import traceback
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    InvalidTopicError,
    KafkaError,
    NoError,
    PolicyViolationError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError

PARTITIONS = 6
DEFAULT_PORT = 9092
# How long an answer is waited for, unless a caller says otherwise.
REQUEST_SECONDS = 3.0
# What a broker that is away looks like.
AWAY = (KafkaError, OSError, TimeoutError)
_BROKER_DEFAULT = -1
# Until somebody changes a right, a rule or a name.
_REFUSED = (
    ClusterAuthorizationFailedError,
    InvalidTopicError,
    PolicyViolationError,
    TopicAuthorizationFailedError,
)
log = structlog.get_logger("kafka")

# It tells of each failed try, ten a second and from several tasks; who calls it says it once.
logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


def servers_of(url: str) -> list[str]:
    """The brokers of `kafka://HOST:PORT[,HOST:PORT]`.

    Raises ValueError for anything else, and never quotes what it was given.
    """
    parts = urlsplit(url)
    rest = parts.path.strip("/") or parts.query or parts.fragment
    servers = [_server(one) for one in parts.netloc.split(",")]
    if parts.scheme != "kafka" or rest or "@" in parts.netloc or not all(servers):
        raise ValueError("Kafka's address is kafka://HOST:PORT[,HOST:PORT]")
    return servers


def _server(text: str) -> str:
    """HOST:PORT, or nothing when it is neither that nor HOST."""
    try:
        one = urlsplit(f"//{text}")
        host, port = one.hostname, one.port or DEFAULT_PORT
    except ValueError:
        return ""
    return f"[{host}]:{port}" if host and ":" in host else f"{host}:{port}" if host else ""


def unavailable(error: BaseException) -> AppError:
    """Kafka is away, or does not do what it is asked for; to be tried again."""
    return AppError(
        REASON_UNAVAILABLE, f"Kafka is not available: {type(error).__name__}", retry_after=1.0
    )


async def start(client: Any) -> None:
    """`client.start()`, of a producer, consumer or admin; cut off, it leaves no connection open.

    Cancelled while it waits for the first metadata, aiokafka 0.14 forgets the
    connection that it asked on (its issue 715); only that frame still knows it.
    """
    try:
        await client.start()
    except BaseException as error:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if frame.f_code is AIOKafkaClient.bootstrap.__code__:
                asked = frame.f_locals.get("bootstrap_conn")
                if asked is not None:
                    asked.close()
        raise


async def ensure_topics(servers: Sequence[str], topics: Iterable[str]) -> None:
    """Creates the topics that are missing. Raises KafkaError or OSError when one is not there then.

    As `known_topics` does it.
    """
    wanted = set(topics)
    missing = wanted - await known_topics(servers, wanted)
    if missing:
        raise KafkaError(f"these topics cannot be created: {', '.join(sorted(missing))}")


async def known_topics(servers: Sequence[str], topics: Iterable[str]) -> frozenset[str]:
    """All that there are, when those of `topics` that are missing have been created.

    Replicated as the brokers' default says, and without those that they will not
    create. The one place where topics are made: left to the brokers, whoever
    names one first would decide how many partitions it has. Raises KafkaError or
    OSError.
    """
    admin = AIOKafkaAdminClient(
        bootstrap_servers=list(servers), request_timeout_ms=int(REQUEST_SECONDS * 1000)
    )
    try:
        await start(admin)
        there = frozenset(await admin.list_topics())
        missing = sorted(set(topics) - there)
        if missing:
            there |= _made(await admin.create_topics([_new(topic) for topic in missing]))
        return there
    finally:
        await admin.close()


def _new(topic: str) -> NewTopic:
    # With no assignment at all aiokafka refuses the brokers' default.
    return NewTopic(topic, PARTITIONS, _BROKER_DEFAULT, replica_assignments={})


def _made(answer: object) -> frozenset[str]:
    made = set()
    for name, code, *_ in getattr(answer, "topic_errors", ()):
        error = for_code(code)
        if error in _REFUSED:
            log.error("a topic is missing and cannot be created", topic=name, error=error.__name__)
        elif error in (NoError, TopicAlreadyExistsError):
            made.add(name)
        else:
            raise error(f"topic {name}")
    return frozenset(made)
