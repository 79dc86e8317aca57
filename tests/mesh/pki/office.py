"""A CA with a clock in the test's hands, and the transports of those it has given certificates."""

import datetime as dt
import time
from dataclasses import dataclass, field
from pathlib import Path

from mesh.pki.authority import Authority, new_root
from mesh.pki.certificates import Certificates, moment
from mesh.pki.leaf_folder import LeafFolder
from mesh.pki.mutual_tls import MutualTls
from mesh.pki.spiffe import SpiffeId

DOMAIN = "leaky.internal"
DAY = dt.timedelta(days=1)


@dataclass
class Hands:
    """The machine's time, which gRPC's own checks go by, and what a test adds to it."""

    ahead: float = 0.0

    def now_us(self) -> int:
        return time.time_ns() // 1_000 + int(self.ahead * 1_000_000)

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead

    def forward(self, seconds: float) -> None:
        self.ahead += seconds


@dataclass
class Office:
    """`authority` may be replaced; what it issues goes to folders below `path`."""

    path: Path
    clock: Hands = field(default_factory=Hands)
    domain: str = DOMAIN
    authority: Authority = field(init=False)

    def __post_init__(self) -> None:
        self.authority = Authority(roots=(new_root(self.domain, now=self.now),))

    @property
    def now(self) -> dt.datetime:
        return moment(self.clock)

    def who(self, name: str) -> SpiffeId:
        return SpiffeId(trust_domain=self.domain, name=name)

    def folder(self, name: str) -> LeafFolder:
        return LeafFolder(self.path / name)

    def issue(
        self,
        name: str,
        life: dt.timedelta = DAY,
        *,
        now: dt.datetime | None = None,
        trusted: str = "",
        into: str = "",
    ) -> LeafFolder:
        """Gives a certificate; `trusted` are other roots than the CA's own."""
        folder = self.folder(into or name)
        own = self.authority.issue(self.who(name), now=now or self.now, life=life)
        folder.write(own, trusted or self.authority.trusted)
        return folder

    def certificates(self, name: str, into: str = "") -> Certificates:
        """What a process of this name has; needs `issue` before."""
        folder = self.folder(into or name)
        return Certificates(folder=folder, who=self.who(name), clock=self.clock)

    def transport(self, name: str) -> MutualTls:
        """How a process of this name connects, with a new certificate."""
        self.issue(name)
        return MutualTls(self.certificates(name), connection_seconds=3600)
