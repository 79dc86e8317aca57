"""The best-effort way of denied events: bounded, and nothing waits for it."""

from collections import deque

from prometheus_client import Counter

from svc_token.domain.events import UsageEvent
from svc_token.ports import EventSink, RejectedBatchError
from svc_token.stores.rows import message_of
from svc_token.stores.topics import Topics

DROPPED = Counter("token_denied_events_dropped_total", "Denied events dropped: too many waited.")
MOST = 10_000
BATCH = 500


class DeniedQueue:
    """Events of refusals, sent when there is time for them; the oldest go when it is full."""

    def __init__(self, sink: EventSink, topics: Topics) -> None:
        self._sink = sink
        self._topics = topics
        self._events: deque[UsageEvent] = deque()

    def offer(self, event: UsageEvent) -> None:
        """Queues an event."""
        self._events.append(event)
        self._trim()

    async def flush(self) -> bool:
        """Sends a batch; whether there is more. Raises AppError when the receiver is away."""
        batch = [self._events.popleft() for _ in range(min(BATCH, len(self._events)))]
        if not batch:
            return False
        try:
            await self._sink.publish([message_of(event, self._topics) for event in batch])
        except RejectedBatchError:
            DROPPED.inc(len(batch))
        except BaseException:
            self._events.extendleft(reversed(batch))
            self._trim()
            raise
        return bool(self._events)

    def _trim(self) -> None:
        while len(self._events) > MOST:
            self._events.popleft()
            DROPPED.inc()
