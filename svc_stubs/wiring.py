"""Puts stubs together; the only file that names concrete classes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version

from starlette.types import ASGIApp

from mesh.edge.app import service_app
from mesh.rpc.method import methods_of
from mesh.service import Context, Parts, Service
from mesh.settings import Live
from svc_stubs.domain.chat import STUBS
from svc_stubs.native import Native
from svc_stubs.ports import Books, PaymentTrouble, Trouble
from svc_stubs.servicers import ChatServicer, PaymentServicer
from svc_stubs.settings import StubsSettings
from svc_stubs.stores import STORES
from svc_stubs.usecases.chat import Chat, Complete
from svc_stubs.usecases.payments import Payments


@dataclass(frozen=True, slots=True)
class LiveFaults:
    """The fault switches of the settings, read at each use."""

    settings: Live[StubsSettings]

    def of(self, provider: str) -> Trouble:
        """A provider's double's trouble."""
        return self.settings.current.trouble(provider)

    def of_payments(self) -> PaymentTrouble:
        """The payment double's trouble."""
        return self.settings.current.payment_trouble


@asynccontextmanager
async def build(context: Context[StubsSettings]) -> AsyncIterator[Parts]:
    """The service's parts."""
    settings = context.settings.current
    faults = LiveFaults(context.settings)
    async with STORES.open(settings.store_url) as books:
        chat = Chat(faults=faults, clock=context.clock, ids=context.ids)
        payments = Payments(books=books, faults=faults, clock=context.clock)
        yield Parts(
            servicers=(ChatServicer(chat), PaymentServicer(payments)),
            http={
                settings.http_port(provider): _app(context, provider, faults, books)
                for provider in STUBS
            },
            ready={"database": books.ping},
        )


def _app(
    context: Context[StubsSettings], provider: str, faults: LiveFaults, books: Books
) -> ASGIApp:
    documented = service_app(
        title=f"Leaky Tokens: stub of {STUBS[provider].title}",
        version=version("leaky-tokens"),
        methods=methods_of(ChatServicer.SERVICE),
        channel_for=lambda _method: context.local,
        settings=context.settings,
        ready={"database": books.ping},
    )
    complete = Complete(clock=context.clock, ids=context.ids)
    return Native(provider=provider, complete=complete, faults=faults, otherwise=documented)


SERVICE = Service(name="stubs", settings=StubsSettings, build=build)
