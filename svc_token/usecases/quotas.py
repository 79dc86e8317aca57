"""Reading and setting up pools."""

import json
from dataclasses import dataclass

from leaky.common.v1 import reason_pb2
from mesh.clock import Clock
from mesh.errors import AppError
from mesh.identity.principal import NOBODY, Principal
from svc_token.domain.idempotency import ANYBODY, Key, Operation, fingerprint_of
from svc_token.domain.owner import Owner, OwnerKind, PoolKey
from svc_token.domain.pool import Pool
from svc_token.domain.window import Window
from svc_token.metrics import LOOKUPS
from svc_token.ports import Limits, Pools
from svc_token.usecases.once import Once, Turn
from svc_token.usecases.owner_roles import OwnerRoles


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolView:
    """A pool as it stands at this moment; `window` is the current one."""

    pool: Pool
    window: Window


def _missing() -> AppError:
    return AppError(reason_pb2.REASON_QUOTA_NOT_FOUND, "quota not found")


@dataclass(frozen=True, slots=True, kw_only=True)
class GetQuota:
    """A user's pool, with the allowance that the user's roles give today. Writes nothing."""

    pools: Pools
    limits: Limits
    owner_roles: OwnerRoles
    clock: Clock

    async def __call__(self, user_id: str, provider: str, principal: Principal) -> PoolView:
        """The pool. Raises AppError QUOTA_NOT_FOUND or UNKNOWN_PROVIDER."""
        LOOKUPS.inc()
        self.limits.provider(provider)
        pool = await self.pools.find(PoolKey(Owner(OwnerKind.USER, user_id), provider))
        if pool is None:
            raise _missing()
        allowance = self.limits.allowance(await self.owner_roles(user_id, principal))
        window = self.limits.window(self.clock.now_us())
        return PoolView(pool=pool.allowing(allowance).renewed(window), window=window)


@dataclass(frozen=True, slots=True, kw_only=True)
class GetOrgQuota:
    """An organisation's pool. Writes nothing."""

    pools: Pools
    limits: Limits
    clock: Clock

    async def __call__(self, org_id: str, provider: str) -> PoolView:
        """The pool. Raises AppError QUOTA_NOT_FOUND or UNKNOWN_PROVIDER."""
        LOOKUPS.inc()
        self.limits.provider(provider)
        pool = await self.pools.find(PoolKey(Owner(OwnerKind.ORG, org_id), provider))
        if pool is None:
            raise _missing()
        window = self.limits.window(self.clock.now_us())
        return PoolView(pool=pool.renewed(window), window=window)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateOrgQuota:
    """Makes an organisation's pool, once under an idempotency key."""

    pools: Pools
    limits: Limits
    clock: Clock
    once: Once

    async def __call__(
        self,
        org_id: str,
        provider: str,
        allowance: int,
        *,
        idempotency_key: str | None = None,
        principal: Principal = NOBODY,
    ) -> PoolView:
        """The pool, as the same key's first request made it.

        Raises AppError QUOTA_EXISTS or UNKNOWN_PROVIDER, and what Once raises.
        """
        pool = PoolKey(Owner(OwnerKind.ORG, org_id), provider)
        if idempotency_key is None:
            return await self._create(pool, allowance)

        async def effect(turn: Turn) -> bytes:
            return _written(await self._create(pool, allowance, turn))

        key = Key(
            scope=principal.user_id or ANYBODY,
            operation=Operation.CREATE_ORG_QUOTA,
            key=idempotency_key,
        )
        meaning = fingerprint_of(org_id=org_id, provider=provider, total_tokens=allowance)
        return _read(pool, await self.once(key, meaning, effect))

    async def _create(self, key: PoolKey, allowance: int, turn: Turn | None = None) -> PoolView:
        self.limits.provider(key.provider)
        now = self.clock.now_us()
        window = self.limits.window(now)
        pool = Pool(key=key, window=window.id, allowance=allowance, updated_us=now)
        made = PoolView(pool=pool, window=window)
        answer = turn.answer(_written(made)) if turn else None
        if not await self.pools.create(pool, answer=answer):
            raise AppError(reason_pb2.REASON_QUOTA_EXISTS, "quota already exists")
        return made


def _written(view: PoolView) -> bytes:
    kept = {
        "allowance": view.pool.allowance,
        "updated_us": view.pool.updated_us,
        "window": view.window.id,
        "length_us": view.window.length_us,
    }
    return json.dumps(kept).encode()


def _read(key: PoolKey, body: bytes) -> PoolView:
    kept = json.loads(body)
    window = Window(kept["window"], kept["length_us"])
    pool = Pool(
        key=key, window=window.id, allowance=kept["allowance"], updated_us=kept["updated_us"]
    )
    return PoolView(pool=pool, window=window)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateOrgQuota:
    """Changes the allowance of an organisation's pool; what was used stays used."""

    pools: Pools
    limits: Limits
    clock: Clock

    async def __call__(self, org_id: str, provider: str, allowance: int) -> PoolView:
        """The pool. Raises AppError QUOTA_NOT_FOUND or UNKNOWN_PROVIDER."""
        self.limits.provider(provider)
        now = self.clock.now_us()
        window = self.limits.window(now)
        key = PoolKey(Owner(OwnerKind.ORG, org_id), provider)
        pool = await self.pools.set_allowance(key, allowance, window=window, now_us=now)
        if pool is None:
            raise _missing()
        return PoolView(pool=pool, window=window)
