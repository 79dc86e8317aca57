"""One root takes over from another, in three steps with time between them."""

import datetime as dt
from dataclasses import dataclass

from mesh.clock import Clock
from mesh.pki.authority import Authority, Root, new_root
from mesh.pki.authority_file import AuthorityFile
from mesh.pki.certificates import moment
from mesh.pki.refused import CertificateError


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """Each `step` is the next one; `life` is that of leaves, which bring roots along."""

    file: AuthorityFile
    trust_domain: str
    life: dt.timedelta
    clock: Clock

    def step(self, *, at_once: bool = False) -> str:
        """What was done, and what comes next.

        Raises CertificateError for a step that comes too early, unless `at_once`: then it is
        the caller who knows that everybody has what the step before gave.
        """
        authority = self.file.read(self.trust_domain)
        if len(authority.roots) == 1:
            return self._add(authority)
        if authority.roots[1].key is not None:
            return self._switch(authority, at_once=at_once)
        return self._drop(authority, at_once=at_once)

    def _add(self, authority: Authority) -> str:
        self.file.replace(authority.with_next(new_root(self.trust_domain, now=self._now())))
        # Until then leaves are about that are not due and so know the one root alone.
        since = self._now() + (dt.timedelta() if self._ended(authority.signing) else self.life / 2)
        return f"another root is believed, and signs nothing yet; next step at {_told(since)}"

    def _switch(self, authority: Authority, *, at_once: bool) -> str:
        at_once = at_once or self._ended(authority.signing)
        self._wait(self.life / 2, "leaves that do not know the new root", at_once=at_once)
        self.file.replace(authority.switched())
        since = self._now() + (dt.timedelta() if self._ended(authority.signing) else self.life)
        return f"the new root signs, the former is believed still; next step at {_told(since)}"

    def _drop(self, authority: Authority, *, at_once: bool) -> str:
        at_once = at_once or self._ended(*authority.roots[1:])
        self._wait(self.life, "leaves of the former root", at_once=at_once)
        self.file.replace(authority.without_former())
        return "the former root is believed no more; that was the last step"

    def _ended(self, *roots: Root) -> bool:
        # Its leaves have ended with it, and with them all that there is to wait for.
        return all(root.ended(self._now()) for root in roots)

    def _wait(self, time: dt.timedelta, why: str, *, at_once: bool) -> None:
        # The file changes with each step and at no other time.
        earliest = self.file.changed_at() + time
        if not at_once and self._now() < earliest:
            raise CertificateError(
                f"until {_told(earliest)} there may be {why}; --now does it all the same"
            )

    def _now(self) -> dt.datetime:
        return moment(self.clock)


def _told(when: dt.datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC"
