"""What the use cases of organisations need from outside. Each method is one atomic step.

A `record` is written in the step's own transaction, and only if that changes something.
Times are microseconds since the epoch. A store that is away raises AppError UNAVAILABLE.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from svc_auth.domain.invitation import Acceptance, Invitation, Invited
from svc_auth.domain.membership import Change, Member, Standing
from svc_auth.domain.organization import Organization, OwnOrganization
from svc_auth.domain.record import Record


class Organizations(Protocol):
    """Organisations."""

    async def add_organization(
        self, organization: Organization, owner: str | None, *, most: int, record: Record
    ) -> bool:
        """Begins an organisation with its owner; None leaves it without members.

        False when the owner owns `most` organisations already.
        """
        ...

    async def find_organization(self, org_id: str) -> Organization | None:
        """The organisation."""
        ...

    async def organizations_of(self, user_id: str) -> Sequence[OwnOrganization]:
        """What the user belongs to, oldest membership first."""
        ...

    async def rename(self, org_id: str, name: str, *, record: Record) -> Organization | None:
        """The organisation under its new name; None when there is none."""
        ...


class Memberships(Protocol):
    """Members of organisations. Of those that there are, one is an owner."""

    async def members_of(self, org_id: str) -> Sequence[Member]:
        """Everybody who belongs to it, oldest membership first; nobody, when there is none."""
        ...

    async def put_member(
        self, org_id: str, user_id: str, *, at: int, most: int, record: Record
    ) -> Change:
        """Makes the user a member, beginning the organisation when it is unknown.

        Who is put into an organisation without an owner becomes its owner.
        DONE, SAME, or FULL when it has `most` members already.
        """
        ...

    async def set_standing(
        self, org_id: str, user_id: str, standing: Standing, *, record: Record
    ) -> Change:
        """Makes a member something else; anything but FULL."""
        ...

    async def remove_member(
        self, org_id: str, user_id: str, *, emptying: bool, record: Record
    ) -> Change:
        """Ends the membership: DONE, NO_ORG, NO_MEMBER or LAST_OWNER.

        The last owner goes only when `emptying` and there is no other member.
        """
        ...

    async def transfer(
        self,
        org_id: str,
        *,
        giver: str,
        taker: str,
        for_all: bool,
        record: Callable[[Collection[str]], Record],
    ) -> Change:
        """Makes the taker an owner and the giver a MEMBER.

        A giver that is no owner gives for all owners there are, if it may: `for_all`.
        `record` is told whose standing changed. DONE, SAME, NO_ORG, NO_OWNER, or
        NO_MEMBER for a taker who is none.
        """
        ...

    async def find_standing(self, org_id: str, user_id: str) -> Standing | None:
        """What the user is in the organisation; None for no member, or no organisation."""
        ...


class Invitations(Protocol):
    """Invitations, found by the keyed hash of their tokens."""

    async def add_invitation(
        self, invitation: Invitation, token_hash: str, *, most: int, record: Record
    ) -> Invited:
        """Stores an invitation in the place of one that is open for its address.

        FULL when `most` others are open at its beginning.
        """
        ...

    async def invitations_of(self, org_id: str, *, at: int) -> Sequence[Invitation]:
        """Those that may still be accepted, oldest first."""
        ...

    async def withdraw_invitation(
        self, org_id: str, invitation_id: str, *, at: int, record: Record
    ) -> bool:
        """False when there is no such invitation that may still be accepted."""
        ...

    async def find_invitation(self, token_hash: str) -> Invitation | None:
        """The invitation, also one that expired or was accepted; None for a withdrawn one."""
        ...

    async def accept(
        self, invitation_id: str, user_id: str, *, at: int, most: int, record: Record
    ) -> Acceptance:
        """Makes the user a member as the invitation says, once; `most` members at most."""
        ...
