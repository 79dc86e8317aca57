"""What an organisation lets a single member take of its pool in a window."""

from collections.abc import Sequence
from dataclasses import dataclass

from leaky.common.v1 import reason_pb2
from mesh.clock import Clock
from mesh.errors import AppError
from svc_token.domain.member import MemberCap
from svc_token.domain.owner import Owner, OwnerKind, PoolKey
from svc_token.domain.window import Window
from svc_token.ports import Limits
from svc_token.ports import MemberCaps as Store


@dataclass(frozen=True, slots=True, kw_only=True)
class CapView:
    """A cap as it stands at this moment; `window` is the current one."""

    cap: MemberCap
    window: Window


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberCaps:
    """Shares of an organisation's pool; who has none may take what is there."""

    caps: Store
    limits: Limits
    clock: Clock

    async def put(self, org_id: str, provider: str, user_id: str, tokens: int) -> CapView:
        """The member's share from now on. Raises AppError QUOTA_NOT_FOUND or UNKNOWN_PROVIDER."""
        self.limits.provider(provider)
        now = self.clock.now_us()
        window = self.limits.window(now)
        cap = MemberCap(
            pool=_pool(org_id, provider),
            user_id=user_id,
            cap=tokens,
            window=window.id,
            updated_us=now,
        )
        stored = await self.caps.put(cap)
        if stored is None:
            raise AppError(reason_pb2.REASON_QUOTA_NOT_FOUND, "quota not found")
        return CapView(cap=stored, window=window)

    async def remove(self, org_id: str, provider: str, user_id: str) -> None:
        """No share of its own any more. Raises AppError MEMBER_CAP_NOT_FOUND."""
        self.limits.provider(provider)
        if not await self.caps.remove(_pool(org_id, provider), user_id):
            raise AppError(reason_pb2.REASON_MEMBER_CAP_NOT_FOUND, "the member has no share set")

    async def all(self, org_id: str, provider: str) -> Sequence[CapView]:
        """The shares inside a pool, by user; none when there is no pool."""
        self.limits.provider(provider)
        window = self.limits.window(self.clock.now_us())
        found = await self.caps.all(_pool(org_id, provider))
        return [CapView(cap=cap.renewed(window.id), window=window) for cap in found]


def _pool(org_id: str, provider: str) -> PoolKey:
    return PoolKey(Owner(OwnerKind.ORG, org_id), provider)
