"""Everything about who is calling, put together for the runtime."""

import asyncio
from collections.abc import Mapping
from typing import TypeVar

from mesh.clock import Clock
from mesh.identity.api_keys import ApiKeys, OnApiKey
from mesh.identity.bearer import Bearer
from mesh.identity.credentials import Credentials
from mesh.identity.jwks import KeySet
from mesh.identity.memberships import Memberships
from mesh.identity.policy import LocalPolicy, Policy, SecurePolicy
from mesh.identity.principal import Found
from mesh.identity.profile import Profile
from mesh.identity.pulse import Pulse
from mesh.identity.revocations import Revocations
from mesh.rpc.channel import Channel
from mesh.rpc.interceptors.authorize import Admit, Authorize
from mesh.rpc.interceptors.principal import Authenticate
from mesh.settings import Live, MeshSettings

S = TypeVar("S", bound=MeshSettings)


class Identity:
    """One service's view of all callers.

    `principal`, `admit` and `authorize` are interceptors, in this order and with
    the check of the request's fields before the last; `run` is a worker.
    """

    def __init__(self, settings: Live[S], auth_channel: Channel, clock: Clock) -> None:
        pulse = self._pulse = Pulse(clock)
        self._keys = KeySet(channel=auth_channel, clock=clock)
        bearer = Bearer(
            keys=self._keys,
            issuer=settings.current.auth.jwt.issuer,
            oauth_issuer=settings.current.auth.oidc.issuer,
            clock=clock,
        )
        api_keys = self._api_keys = ApiKeys(
            channel=auth_channel,
            bearer=bearer,
            clock=clock,
            pulse=pulse,
            ttl_seconds=settings.current.gateway.api_key.cache_ttl,
        )
        self._credentials = Credentials(bearer=bearer, api_keys=api_keys)
        memberships = Memberships(channel=auth_channel, clock=clock, pulse=pulse)
        self._revocations = Revocations(
            channel=auth_channel, pulse=pulse, caches=(bearer, api_keys, memberships)
        )
        policy = _policy(settings.current.effective_profile, memberships)
        self.principal = Authenticate(self._credentials, policy.speaks_for_others)
        self.admit, self.authorize = Admit(policy), Authorize(policy)
        self.may_see = policy.may_see

    def authenticate(self, metadata: Mapping[str, str]) -> Found:
        """Who sent these headers (lower-case names); NOBODY without a credential.

        Raises AppError UNAUTHENTICATED, INVALID_API_KEY or UNAVAILABLE.
        """
        return self._credentials.principal(metadata)

    def on_api_key(self, listener: OnApiKey) -> None:
        """Tells the listener of each API key whether it was known from before."""
        self._api_keys.listener = listener

    async def ready(self) -> None:
        """Returns once the signing keys are here and revocations arrive."""
        await self._keys.known.wait()
        await self._pulse.felt.wait()

    async def run(self) -> None:
        """Follows revocations and keeps the signing keys fresh, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._revocations.run())
            group.create_task(self._keys.run())


def _policy(profile: Profile, memberships: Memberships) -> Policy:
    return LocalPolicy() if profile is Profile.LOCAL else SecurePolicy(memberships)
