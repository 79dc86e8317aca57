"""Credentials as the runtime puts them together, with every cache in reach."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

from leaky.common.v1.reason_pb2 import (
    Reason,
)
from mesh.errors import AppError
from mesh.identity.api_keys import ApiKeys
from mesh.identity.bearer import Bearer
from mesh.identity.credentials import Credentials
from mesh.identity.jwks import KeySet
from mesh.identity.principal import Found, Principal
from mesh.identity.pulse import Pulse

if TYPE_CHECKING:
    from tests.mesh.identity.conftest import Auth, Hands

KEY = "leaky_user-7_secret"


class World:
    """Credentials as the runtime puts them together, with every cache in reach."""

    def __init__(self, auth: "Auth", clock: "Hands") -> None:
        channel = auth.channel()
        self.pulse = Pulse(clock)
        self.pulse.beat()
        self.keys = KeySet(channel=channel, clock=clock)
        self.bearer = Bearer(
            keys=self.keys,
            issuer="leaky-tokens-auth",
            oauth_issuer="https://auth.example",
            clock=clock,
        )
        self.api_keys = ApiKeys(
            channel=channel,
            bearer=self.bearer,
            clock=clock,
            pulse=self.pulse,
            ttl_seconds=120,
        )
        self.credentials = Credentials(bearer=self.bearer, api_keys=self.api_keys)

    async def of(self, metadata: Mapping[str, str]) -> Principal:
        return await settled(self.credentials.principal(metadata))

    async def with_key(self, key: str = KEY) -> Principal:
        return await self.of({"x-api-key": key})

    async def with_token(self, token: str) -> Principal:
        return await self.of({"authorization": f"Bearer {token}"})

    async def refusal(self, metadata: Mapping[str, str]) -> Reason.ValueType:
        with pytest.raises(AppError) as refused:
            await self.of(metadata)
        return refused.value.reason


async def settled(found: Found) -> Principal:
    """Whom a credential stands for, be that remembered or not."""
    return found if isinstance(found, Principal) else await found
