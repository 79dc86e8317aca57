"""Has everybody drop tokens that were taken back."""

from collections.abc import Sequence
from dataclasses import dataclass

from mesh.clock import Clock
from svc_auth.domain.oauth2.grant import IssuedToken
from svc_auth.domain.revocation import Kind
from svc_auth.ports import Revocations


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw:
    """Tells of access tokens that a store has revoked."""

    revocations: Revocations
    clock: Clock

    async def announce(self, tokens: Sequence[IssuedToken]) -> None:
        """Tells every watcher; what has ended by itself needs no word."""
        now = self.clock.now_us()
        for token in tokens:
            if now < token.expires_at:
                self.revocations.publish(Kind.TOKEN, token.id)
