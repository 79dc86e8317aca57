"""One line when Consul goes away and one when it is back, however many ask it."""

import structlog

from mesh.consul.client import told

log = structlog.get_logger("discovery")


class Outage:
    """Who gets no answers from Consul at the moment."""

    def __init__(self) -> None:
        self._asking: set[str] = set()

    def failed(self, who: str, error: BaseException) -> None:
        """Somebody got no answer; the first one says so."""
        if not self._asking:
            log.warning("Consul does not answer, what was known last stays", error=told(error))
        self._asking.add(who)

    def answered(self, who: str) -> None:
        """Somebody got an answer; the last one who had none says so."""
        if who in self._asking:
            self._asking.discard(who)
            if not self._asking:
                log.info("Consul answers again")
