"""A pool of tokens: an allowance that renews by window, and purchased tokens that stay.

Both are kept as what there is and what is used of it; tokens on hold count as
used. So a changed allowance never loses count of what was spent.
"""

from dataclasses import dataclass, replace

from svc_token.domain.owner import PoolKey
from svc_token.domain.window import Window


class InsufficientTokensError(Exception):
    """The pool holds less than was asked for, or is in debt."""


class PoolExistsError(Exception):
    """The owner has a pool at this provider."""


class PoolNotFoundError(Exception):
    """The owner has no pool at this provider."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Tokens taken from a pool, by where they came from; of the window's allowance, and bought."""

    window: int
    allowance: int
    purchased: int

    @property
    def tokens(self) -> int:
        """All of them."""
        return self.allowance + self.purchased


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """The balances of one owner at one provider, all in tokens.

    `debt` is what was used beyond what was there; it blocks new holds until a
    renewal, a purchase or what is given back covers it. `seq` is how many lines
    the ledger has of it.
    """

    key: PoolKey
    window: int
    allowance: int
    allowance_used: int = 0
    purchased: int = 0
    purchased_used: int = 0
    debt: int = 0
    updated_us: int = 0
    seq: int = 0

    @property
    def total(self) -> int:
        """The allowance and the tokens bought so far."""
        return self.allowance + self.purchased

    @property
    def allowance_left(self) -> int:
        """Of this window; none when the allowance was cut below what is used."""
        return max(0, self.allowance - self.allowance_used)

    @property
    def purchased_left(self) -> int:
        """Bought and not used."""
        return self.purchased - self.purchased_used

    @property
    def remaining(self) -> int:
        """What a hold could take now."""
        return 0 if self.debt else self.allowance_left + self.purchased_left

    def renewed(self, window: Window) -> "Pool":
        """The pool in this window: in a new one the allowance is whole, less what is owed."""
        if window.id <= self.window:
            return self
        return replace(self, window=window.id, allowance_used=0).covered()

    def allowing(self, allowance: int) -> "Pool":
        """The pool with this allowance; what was used stays used."""
        if allowance == self.allowance:
            return self.covered()
        return replace(self, allowance=allowance).covered()

    def hold(self, tokens: int) -> tuple["Pool", Hold]:
        """Takes tokens, from the allowance first. Raises InsufficientTokensError."""
        if tokens > self.remaining:
            raise InsufficientTokensError
        return self._take(tokens)

    def charge(self, tokens: int) -> tuple["Pool", Hold]:
        """Takes tokens that have been used already: what is not there becomes debt."""
        there = min(tokens, self.allowance_left + self.purchased_left)
        pool, taken = self._take(there)
        return replace(pool, debt=pool.debt + tokens - there), taken

    def _take(self, tokens: int) -> tuple["Pool", Hold]:
        allowance = min(tokens, self.allowance_left)
        purchased = tokens - allowance
        pool = self._using(self.allowance_used + allowance, self.purchased_used + purchased)
        return pool, Hold(self.window, allowance, purchased)

    def give_back(self, hold: Hold, tokens: int) -> "Pool":
        """Returns the last-drawn `tokens` of a hold to where they came from.

        Allowance of a window that has passed vanishes.
        """
        purchased = min(tokens, hold.purchased)
        allowance = tokens - purchased if hold.window == self.window else 0
        used = max(0, self.allowance_used - allowance)
        return self._using(used, self.purchased_used - purchased).covered()

    def bought(self, tokens: int) -> "Pool":
        """More purchased tokens, of which a debt takes its part at once."""
        return replace(self, purchased=self.purchased + tokens).covered()

    def covered(self) -> "Pool":
        """What is there pays what is owed: a debt never stands beside tokens."""
        if not self.debt:
            return self
        there = min(self.debt, self.allowance_left + self.purchased_left)
        if not there:
            return self
        return replace(self._take(there)[0], debt=self.debt - there)

    def written(self, seq: int, at_us: int) -> "Pool":
        """The pool once the ledger has this line of it."""
        return self._of(self.allowance_used, self.purchased_used, seq, at_us)

    def _using(self, allowance: int, purchased: int) -> "Pool":
        return self._of(allowance, purchased, self.seq, self.updated_us)

    def _of(self, allowance_used: int, purchased_used: int, seq: int, at_us: int) -> "Pool":
        # What every call does; `replace` would take as long as all the rest of it.
        return Pool(
            key=self.key,
            window=self.window,
            allowance=self.allowance,
            allowance_used=allowance_used,
            purchased=self.purchased,
            purchased_used=purchased_used,
            debt=self.debt,
            updated_us=at_us,
            seq=seq,
        )
