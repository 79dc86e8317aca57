"""Ends what a user holds, for a change that has been stored."""

from dataclasses import dataclass

from mesh.clock import Clock
from svc_auth.domain.revocation import Revocation
from svc_auth.ports import RevocationLog, Revocations, SigningKeys

# For a store whose keys are from before it was noted how long their tokens live.
SHORTEST = 86_400_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EndAccess:
    """Has everybody told, and once more with a later moment.

    A revocation ends what was issued before it. One that was stored together
    with the change bears a moment from before the change could be seen, and a
    token may count as issued in between, for a user who looked as before. So
    the same is revoked again as of now, when nobody can see the user as it was.
    """

    log: RevocationLog
    keys: SigningKeys
    revocations: Revocations
    clock: Clock

    async def lifetime(self) -> int:
        """How long what was issued so far may live at the most, in microseconds.

        The keys know it, and no setting does: a token lives as long as the setting
        said when it was issued, perhaps in another process.
        """
        return max(SHORTEST, await self.keys.longest_lifetime())

    async def __call__(self, revoked: Revocation) -> int:
        """The moment, in microseconds, before which all is ended."""
        self.revocations.announce()
        now = self.clock.now_us()
        again = Revocation(
            kind=revoked.kind,
            subject=revoked.subject,
            at=now,
            until=now + max(revoked.until - revoked.at, await self.lifetime()),
        )
        await self.log.repeat(again)
        self.revocations.announce()
        return now
