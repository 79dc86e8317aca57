"""Whether each answered consume took exactly its tokens, under load too."""

from dataclasses import dataclass

from bench import client
from bench.callers import PROVIDER, TOKENS, Caller, remaining
from bench.plan import Plan, Request
from bench.system import System


@dataclass(frozen=True, slots=True, kw_only=True)
class Exactness:
    """Tokens that answers said were spent, and tokens that the pool lost.

    wrk goes away with a request a connection unanswered, so its loads give
    only a lower and an upper bound: `slack` tokens.
    """

    answered: int
    lost: int
    slack: int
    comparable: bool

    @property
    def holds(self) -> bool:
        """Whether the pool lost neither more nor less; True where nothing can be said."""
        return not self.comparable or self.answered <= self.lost <= self.answered + self.slack


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A pool as it stood at a moment."""

    tokens: int
    until: str

    @classmethod
    def of(cls, system: System, caller: Caller, provider: str = PROVIDER) -> "Pool":
        """As it stands now."""
        tokens, until = remaining(system.url, caller, provider)
        return cls(tokens=tokens, until=until)

    def against(self, system: System, caller: Caller, *, calls: int, open_calls: int) -> Exactness:
        """Compares what it lost since with the calls answered; renewed in between, it cannot."""
        now = Pool.of(system, caller)
        return Exactness(
            answered=calls * TOKENS,
            lost=self.tokens - now.tokens,
            slack=open_calls * TOKENS,
            comparable=self.until == now.until,
        )


def counted(
    system: System, caller: Caller, request: Request, times: int, connections: int
) -> Exactness:
    """So many times a request, and what follows on it, that spend TOKENS of the caller's pool.

    By our own client, which waits for every answer.
    """
    client.drive(Plan(port=system.port, requests=(caller.consume(),), connections=1, count=1))
    before = Pool.of(system, caller)
    load = client.drive(
        Plan(port=system.port, requests=(request,), connections=connections, count=times)
    )
    granted = (load.answered - load.refused) // (2 if request.then else 1)
    return before.against(system, caller, calls=granted, open_calls=0)
