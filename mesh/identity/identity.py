"""Everything about who is calling, put together for the runtime."""

import asyncio
from collections.abc import Mapping
from typing import TypeVar

from mesh.clock import Clock
from mesh.identity.api_keys import ApiKeys
from mesh.identity.bearer import Bearer
from mesh.identity.credentials import Credentials
from mesh.identity.jwks import KeySet
from mesh.identity.memberships import Memberships
from mesh.identity.policy import LocalPolicy, Policy, SecurePolicy
from mesh.identity.principal import Principal
from mesh.identity.profile import Profile
from mesh.identity.pulse import Pulse
from mesh.identity.revocations import Revocations
from mesh.identity.service_tokens import ServiceTokens
from mesh.rpc.channel import Channel
from mesh.rpc.interceptors.authorize import Admit, Authorize
from mesh.rpc.interceptors.principal import Authenticate
from mesh.settings import Live, MeshSettings
from mesh.settings.secrets import secret

S = TypeVar("S", bound=MeshSettings)
SECRET_FILE = "mesh.secret"  # noqa: S105 a file's name


class Identity:
    """One service's view of all callers.

    `principal`, `admit` and `authorize` are interceptors, in this order and with
    the check of the request's fields before the last; `run` is a worker.
    """

    def __init__(
        self,
        settings: Live[S],
        service: str,
        auth_channel: Channel,
        clock: Clock,
    ) -> None:
        self._tokens = ServiceTokens(service=service, secret=_secret(settings.current), clock=clock)
        pulse = self._pulse = Pulse(clock)
        self._keys = KeySet(channel=auth_channel, clock=clock)
        bearer = Bearer(
            keys=self._keys,
            issuer=settings.current.auth.jwt.issuer,
            oauth_issuer=settings.current.auth.oidc.issuer,
            clock=clock,
        )
        metadata = self._tokens.metadata
        api_keys = ApiKeys(
            channel=auth_channel,
            metadata=metadata,
            bearer=bearer,
            clock=clock,
            pulse=pulse,
            ttl_seconds=settings.current.gateway.api_key.cache_ttl,
        )
        self._credentials = Credentials(bearer=bearer, api_keys=api_keys)
        memberships = Memberships(channel=auth_channel, metadata=metadata, clock=clock, pulse=pulse)
        self._revocations = Revocations(
            channel=auth_channel,
            metadata=metadata,
            pulse=pulse,
            caches=(bearer, api_keys, memberships),
        )
        self.principal = Authenticate(credentials=self._credentials, services=self._tokens)
        policy = _policy(settings.current.effective_profile, memberships)
        self.admit, self.authorize = Admit(policy), Authorize(policy)
        self.may_see = policy.may_see

    def service_metadata(self) -> Mapping[str, str]:
        """What every call to another service carries to prove this one; ask anew for each call."""
        return self._tokens.metadata()

    async def authenticate(self, metadata: Mapping[str, str]) -> Principal:
        """Who sent these headers (lower-case names); NOBODY without a credential.

        Raises AppError UNAUTHENTICATED, INVALID_API_KEY or UNAVAILABLE.
        """
        return await self._credentials.principal(metadata)

    async def ready(self) -> None:
        """Returns once the signing keys are here and revocations arrive."""
        await self._keys.known.wait()
        await self._pulse.felt.wait()

    async def run(self) -> None:
        """Follows revocations and keeps the signing keys fresh, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._revocations.run())
            group.create_task(self._keys.run())


def _secret(settings: MeshSettings) -> str:
    return secret(settings.data / SECRET_FILE, settings.mesh.secret)


def _policy(profile: Profile, memberships: Memberships) -> Policy:
    return LocalPolicy() if profile is Profile.LOCAL else SecurePolicy(memberships)
