"""Kafka: brokers, and the topics that a service writes or reads."""

from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from mesh.cli.doctor.finding import Finding, fail, ok, warn
from mesh.cli.doctor.parts import Part, away
from mesh.settings.names import names_of
from mesh.storage.kafka import AWAY, servers_of, start

KIND = "Kafka"
_REQUEST_MS = 5000


async def examine(part: Part) -> list[Finding]:
    """Connects as the service does, and asks."""
    try:
        servers = servers_of(part.url)
    except ValueError as error:
        return [fail(part.setting, str(error), f"Correct {part.variable}.")]
    admin = AIOKafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=_REQUEST_MS)
    try:
        await start(admin)
        cluster = await admin.describe_cluster()
        topics = topics_of(part)
        there = set(await admin.list_topics())
        described = await admin.describe_topics(sorted(there & set(topics)))
    except (*AWAY, KafkaError) as error:
        return away(part, KIND, error)
    finally:
        await admin.close()
    brokers = len(cluster["brokers"])
    found = [ok(part.setting, f"{KIND} at {part.place}, {brokers} broker{'s'[: brokers - 1]}")]
    return [*found, *_topics(part, topics, described, brokers)]


def topics_of(part: Part) -> list[str]:
    """What the settings of this service name as topics."""
    tree = part.settings.model_dump(by_alias=True)
    found = []
    for name in names_of(type(part.settings)):
        if name.path[0] == part.service and name.path[-1] == "topic":
            value: Any = tree
            for key in name.path:
                value = value[key]
            found.append(str(value))
    return found


def _topics(
    part: Part, topics: list[str], described: list[dict[str, Any]], brokers: int
) -> list[Finding]:
    known = {one["topic"]: one["partitions"] for one in described}
    found = []
    for topic in topics:
        partitions = known.get(topic)
        if partitions is None:
            what = f"topic {topic} is not there yet"
            advice = f"Start {part.service}, which makes it; its user needs the right to."
            found.append(warn(part.setting, what, advice))
        else:
            found.append(_topic(part, topic, partitions, brokers))
    return found


def _topic(part: Part, topic: str, partitions: list[dict[str, Any]], brokers: int) -> Finding:
    if any(one["leader"] < 0 for one in partitions):
        what = f"topic {topic} has partitions that no broker leads"
        return fail(part.setting, what, "Start the brokers that are missing.")
    if any(len(one["isr"]) < len(one["replicas"]) for one in partitions):
        what = f"topic {topic} has replicas that lag behind"
        return warn(part.setting, what, "Look at the brokers that hold them.")
    copies = min(len(one["replicas"]) for one in partitions)
    what = f"topic {topic}, {len(partitions)} partitions, replication {copies}"
    if copies == 1 and brokers > 1:
        advice = "Raise the topic's replication factor to 3: one lost broker loses events."
        return warn(part.setting, what, advice)
    return ok(part.setting, what)
