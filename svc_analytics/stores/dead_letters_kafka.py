"""Messages that can never be stored, on a topic of their own."""

from mesh.storage.kafka_publisher import Publisher, Record, RejectedRecordsError
from svc_analytics.domain.message import Message


def dead_topic(topic: str) -> str:
    """Where messages go that nobody understands."""
    return f"{topic}.dead"


class DeadLetters:
    """A message as it was, with headers that say where it lay and what is wrong with it."""

    def __init__(self, publisher: Publisher, topic: str) -> None:
        self._publisher = publisher
        self._topic = topic

    async def keep(self, message: Message, reason: str) -> None:
        """Returns when it is durable. Raises AppError UNAVAILABLE."""
        headers = (
            ("dead-reason", reason.encode()),
            ("dead-topic", self._topic.encode()),
            ("dead-partition", str(message.partition).encode()),
            ("dead-offset", str(message.offset).encode()),
        )
        letter = Record(
            topic=dead_topic(self._topic),
            key=message.key,
            value=message.value,
            headers=message.headers + headers,
        )
        try:
            await self._publisher.publish([letter])
        except RejectedRecordsError:
            # The headers made it too large; where it lies is told all the same.
            bare = Record(topic=letter.topic, key=None, value=b"", headers=headers)
            await self._publisher.publish([bare])
