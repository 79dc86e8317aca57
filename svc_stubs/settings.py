"""The settings of stubs, fault switches included."""

from typing import Annotated

from pydantic import AfterValidator

from mesh.settings import MeshSettings, Section, live
from mesh.settings.model import Duration, StubPort, StubPorts, database
from svc_stubs.ports import PaymentTrouble, Trouble


def _answer_status(status: int) -> int:
    if status and not 200 <= status <= 599:  # noqa: PLR2004 HTTP
        raise ValueError("must be 0 or an HTTP status from 200 to 599")
    return status


class FaultsSection(Section):
    """How to misbehave; `status` 0 is to answer as one should."""

    delay: Duration = live(0.0)
    status: Annotated[int, AfterValidator(_answer_status)] = live(0)
    hang: bool = live(False)


class StubSection(StubPort):
    """One provider's double; its own faults come on top of those of all."""

    faults: FaultsSection = FaultsSection()


class PaymentSection(Section):
    """The payment double; the last three are how many of 100 calls they hit."""

    decline: bool = live(False)
    delay: Duration = live(0.0)
    fail: int = live(0, ge=0, le=100)
    lose_answer: int = live(0, ge=0, le=100)
    answer_twice: int = live(0, ge=0, le=100)


class StubsSection(StubPorts):
    """The settings below `stubs`; an empty store is SQLite under the data folder."""

    qwen: StubSection = StubSection(http_port=8091)
    gemini: StubSection = StubSection(http_port=8092)
    openai: StubSection = StubSection(http_port=8093)
    store: str = database()
    faults: FaultsSection = FaultsSection()
    payment: PaymentSection = PaymentSection()


class StubsSettings(MeshSettings):
    """What svc_stubs reads."""

    stubs: StubsSection = StubsSection()

    @property
    def store_url(self) -> str:
        """Where the payment double's books are."""
        return self.stubs.store or f"sqlite:///{self.data / 'stubs.db'}"

    def http_port(self, provider: str) -> int:
        """Where a provider's double listens."""
        return self._stub(provider).http_port

    def trouble(self, provider: str) -> Trouble:
        """The faults of all and the provider's own together."""
        own, common = self._stub(provider).faults, self.stubs.faults
        return Trouble(
            delay=max(own.delay, common.delay),
            status=own.status or common.status,
            hang=own.hang or common.hang,
        )

    @property
    def payment_trouble(self) -> PaymentTrouble:
        """The payment double's faults."""
        return PaymentTrouble(**self.stubs.payment.model_dump())

    def _stub(self, provider: str) -> StubSection:
        stubs = {"qwen": self.stubs.qwen, "gemini": self.stubs.gemini, "openai": self.stubs.openai}
        return stubs[provider]
