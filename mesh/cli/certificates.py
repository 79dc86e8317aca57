"""What commands do with certificates: `leaky up` gives them out, others show their own."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

from mesh.cli.refusal import RefusedError
from mesh.clock import SystemClock
from mesh.identity.profile import Profile
from mesh.pki.certificates import moment
from mesh.pki.issuing import Issuing
from mesh.pki.opened import authority_file, leaves
from mesh.pki.spiffe import OPERATOR
from mesh.settings import MeshSettings

TURN_SECONDS = 10.0
# What goes on being wrong is told again: the first time may be long out of sight.
_AGAIN_SECONDS = 3600.0


def issuing_of(settings: MeshSettings) -> Issuing:
    """The CA and the leaves that the settings name."""
    return Issuing(
        file=authority_file(settings),
        trust_domain=settings.pki.trust_domain,
        leaves=leaves(settings),
        life=dt.timedelta(seconds=settings.pki.leaf_ttl),
        clock=SystemClock(),
    )


@asynccontextmanager
async def given(
    settings: MeshSettings,
    processes: Iterable[str],
    tell: Callable[[str], None],
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncIterator[None]:
    """In `secure` each process has a certificate during the block, and so has the operator.

    Not where `pki.leaves` names a folder: somebody else gives them out then.
    Raises SettingsError for a CA that is of no use, RefusedError for a disk that is not.
    """
    if settings.effective_profile is Profile.LOCAL or settings.pki.leaves:
        yield
        return
    issuing, names = issuing_of(settings), [*processes, OPERATOR]
    if not issuing.file.exists():
        tell(f"no certificates yet: making a CA in {issuing.file.path}")
    issuing.file.made(issuing.trust_domain, moment(issuing.clock))
    try:
        issuing.renew(names)
    except OSError as error:
        message = f"no certificate can be written: {error.filename}: {error.strerror}"
        raise RefusedError(message) from error
    keeping = asyncio.ensure_future(_keep(issuing, names, tell, pause))
    try:
        yield
    finally:
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping


async def _keep(
    issuing: Issuing,
    names: list[str],
    tell: Callable[[str], None],
    pause: Callable[[float], Awaitable[None]],
) -> None:
    said, since = "", 0.0
    while True:
        await pause(TURN_SECONDS)
        since += TURN_SECONDS
        before, said = said, await asyncio.to_thread(_turn, issuing, names)
        if said and (said != before or since >= _AGAIN_SECONDS):
            tell(said)
            since = 0.0


def _turn(issuing: Issuing, names: list[str]) -> str:
    """What there is to tell of it."""
    try:
        renewed = issuing.renew(names)
    except Exception as error:  # noqa: BLE001 whatever it is, the next turn may do better
        return f"certificates cannot be renewed: {error}"
    return f"new certificates for {', '.join(renewed)}" if renewed else ""
