"""Which shards of the outbox this process delivers."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from mesh.clock import Clock
from svc_token.domain.shards import ALL
from svc_token.ports import Leases

GROUP = "outbox"
# What is left of a process that died is taken over within this time.
LEASE_US = 5_000_000
RENEW_US = 1_000_000
# A batch is begun only while its lease lasts for longer than a sink may take.
RESERVE_US = 3_500_000


@dataclass(slots=True, kw_only=True)
class HoldShards:
    """The fair share of the shards, by leases that are renewed as they are asked for.

    `holder` is this process's own id, another after each start. Asked at least
    once a second, it keeps what it has; not asked for five, it has lost it.
    """

    leases: Leases
    clock: Clock
    holder: str
    shards: Collection[int] = ALL
    _fences: Mapping[int, int] = field(default_factory=dict)
    _since_us: int = 0
    _until_us: int = 0

    async def __call__(self) -> Mapping[int, int]:
        """The shards that are this process's long enough for a batch, each with its fence.

        Raises AppError when the store of the leases is away.
        """
        now_us = self.clock.now_us()
        if not 0 <= now_us - self._since_us < RENEW_US or self._until_us <= now_us:
            await self._turn(now_us)
        return self._fences if self._lasts() else {}

    async def give_back(self) -> None:
        """Leaves them to the others at once."""
        self._fences, self._since_us, self._until_us = {}, 0, 0
        await self.leases.give_back(GROUP, self._names, self.holder)

    @property
    def _names(self) -> list[str]:
        return [f"{shard:02}" for shard in self.shards]

    async def _turn(self, now_us: int) -> None:
        until_us = now_us + LEASE_US
        leases = await self.leases.share(
            GROUP, self._names, self.holder, now_us=now_us, until_us=until_us
        )
        self._fences = {int(lease.name): lease.fence for lease in leases}
        self._since_us, self._until_us = now_us, until_us

    def _lasts(self) -> bool:
        # Asked after the turn, which may have taken its time.
        return self.clock.now_us() + RESERVE_US < self._until_us
