"""How often passwords may be tried; seconds are on any clock that goes forward.

Guessing is slowed down by the account and the address together, by the address,
and by the account over all addresses. None of it locks anybody out for good,
and an account under attack stays open where its owner has logged in before.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

V = TypeVar("V")
# As long a time without a try makes a pair's earlier ones forgotten.
FORGIVEN_SECONDS = 900.0
# One more try in this time, for what has used up its own.
ADDRESS_SECONDS = 2.0
ACCOUNT_SECONDS = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginLimits:
    """Tries that fail before there is a wait.

    `tries` of one account from one address, after which each further one waits
    twice as long, up to `longest_wait` seconds; `address_tries` of one address,
    `account_tries` of one account from addresses it is not known at. At most
    `remembered` of each are kept in memory.
    """

    tries: int
    longest_wait: float
    address_tries: int
    account_tries: int
    remembered: int = 10_000


@dataclass(slots=True)
class _Pair:
    failed: int = 0
    last: float = 0.0

    def wait(self, now: float, limits: LoginLimits) -> float:
        over = self.failed - limits.tries
        if over < 0 or now - self.last >= FORGIVEN_SECONDS:
            return 0.0
        # Past 2^16 s the wait is the longest anyway.
        return max(0.0, self.last + min(limits.longest_wait, 2.0 ** min(over, 16)) - now)


@dataclass(slots=True)
class _Budget:
    """A bucket that fills by one in `seconds`, up to its size."""

    left: float
    at: float

    def refill(self, now: float, size: int, seconds: float) -> None:
        self.left = min(float(size), self.left + (now - self.at) / seconds)
        self.at = now

    def wait(self, seconds: float) -> float:
        return 0.0 if self.left >= 1.0 else (1.0 - self.left) * seconds


class _Kept(Generic[V]):
    """At most so many; who was not asked for longest goes first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, key: str) -> bool:
        return key in self._kept

    def get(self, key: str, new: V) -> V:
        return self._kept.get(key, new)

    def put(self, key: str, value: V, most: int) -> None:
        self._kept[key] = value
        self._kept.move_to_end(key)
        while len(self._kept) > most:
            self._kept.popitem(last=False)

    def drop(self, key: str) -> None:
        self._kept.pop(key, None)


class Throttle:
    """Counts every try as a failed one when it begins, so that many at once are counted too."""

    def __init__(self) -> None:
        self._pairs: _Kept[_Pair] = _Kept()
        self._addresses: _Kept[_Budget] = _Kept()
        self._accounts: _Kept[_Budget] = _Kept()
        self._known: _Kept[bool] = _Kept()

    def __len__(self) -> int:
        """How much is remembered."""
        buckets = len(self._addresses) + len(self._accounts)
        return len(self._pairs) + len(self._known) + buckets

    def begin(self, account: str, address: str, *, now: float, limits: LoginLimits) -> float:
        """0 when the try may begin, and then it counts; else the seconds to wait."""
        pair = self._pairs.get(_both(account, address), _Pair())
        of_address = self._budget(self._addresses, address, now, limits.address_tries)
        of_account = self._budget(self._accounts, account, now, limits.account_tries)
        of_address.refill(now, limits.address_tries, ADDRESS_SECONDS)
        of_account.refill(now, limits.account_tries, ACCOUNT_SECONDS)
        known = _both(account, address) in self._known
        wait = max(
            pair.wait(now, limits),
            of_address.wait(ADDRESS_SECONDS),
            0.0 if known else of_account.wait(ACCOUNT_SECONDS),
        )
        # What is refused is not remembered: who is refused cannot fill the memory.
        if wait == 0.0:
            self._count(account, address, pair, now, limits)
        return wait

    def _budget(self, kept: _Kept[_Budget], key: str, now: float, size: int) -> _Budget:
        return kept.get(key, _Budget(left=float(size), at=now))

    def _count(
        self, account: str, address: str, pair: _Pair, now: float, limits: LoginLimits
    ) -> None:
        if now - pair.last >= FORGIVEN_SECONDS:
            pair.failed = 0
        pair.failed += 1
        pair.last = now
        self._pairs.put(_both(account, address), pair, limits.remembered)
        self._take(self._addresses, address, now, limits.address_tries, limits.remembered)
        self._take(self._accounts, account, now, limits.account_tries, limits.remembered)

    def _take(self, kept: _Kept[_Budget], key: str, now: float, size: int, most: int) -> None:
        budget = self._budget(kept, key, now, size)
        budget.left = max(0.0, budget.left - 1.0)
        kept.put(key, budget, most)

    def succeeded(self, account: str, address: str, *, limits: LoginLimits) -> None:
        """The try was right: it is taken back, and the account is known at the address."""
        self._pairs.drop(_both(account, address))
        self.give_back(account, address, limits=limits)
        self._known.put(_both(account, address), value=True, most=limits.remembered)

    def give_back(self, account: str, address: str, *, limits: LoginLimits) -> None:
        """The try did not come to a comparison: it is taken back."""
        for kept, key, size in (
            (self._addresses, address, limits.address_tries),
            (self._accounts, account, limits.account_tries),
        ):
            if key in kept:
                budget = kept.get(key, _Budget(left=0.0, at=0.0))
                budget.left = min(float(size), budget.left + 1.0)
        both = _both(account, address)
        if both in self._pairs:
            pair = self._pairs.get(both, _Pair())
            pair.failed = max(0, pair.failed - 1)


def _both(account: str, address: str) -> str:
    return f"{address} {account}"
