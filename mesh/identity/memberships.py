"""Who belongs to which organisation, as svc_auth says."""

from functools import partial
from typing import NamedTuple

import structlog

from leaky.auth.v1.credential_service_pb2 import (
    REVOCATION_KIND_MEMBERSHIP,
    REVOCATION_KIND_USER,
)
from leaky.auth.v1.organization_service_pb2 import GetMembershipRequest, GetMembershipResponse
from leaky.common.v1.reason_pb2 import REASON_INVALID_ARGUMENT
from mesh.clock import Clock
from mesh.errors import AppError
from mesh.identity.answers import Answer, Answers
from mesh.identity.pulse import Pulse
from mesh.identity.refusals import unavailable
from mesh.identity.revoked import Revoked
from mesh.rpc.channel import Channel
from mesh.rpc.method import rpc

GET_MEMBERSHIP = rpc(GetMembershipRequest, GetMembershipResponse)
_CAPACITY = 10_000
_MEMBER_SECONDS = 30.0
# A new member does not wait long to be let in: beginning is not a revocation.
_STRANGER_SECONDS = 1.0
log = structlog.get_logger("identity")


class Membership(NamedTuple):
    """What a user is in an organisation, such as "OWNER"; empty for no member."""

    standing: str

    @property
    def member(self) -> bool:
        """Whether the user belongs to it at all."""
        return bool(self.standing)


class _Pair(NamedTuple):
    org_id: str
    user_id: str


class Memberships:
    """Asked once per organisation and user, remembered briefly, dropped by revocations."""

    def __init__(
        self,
        *,
        channel: Channel,
        clock: Clock,
        pulse: Pulse,
    ) -> None:
        self._channel = channel
        self._answers: Answers[_Pair, Membership] = Answers(
            capacity=_CAPACITY, clock=clock, pulse=pulse
        )

    async def of(self, *, org_id: str, user_id: str) -> Membership:
        """What the user is there. Raises UNAVAILABLE when svc_auth cannot be asked."""
        pair = _Pair(org_id, user_id)
        return await self._answers.get(pair, partial(self._ask, pair))

    def drop(self, revoked: Revoked) -> None:
        """Forgets what this revocation ends; ids may have been sent in either case."""
        kind, subject = revoked.kind, revoked.subject.lower()
        if kind == REVOCATION_KIND_MEMBERSHIP:
            self._answers.drop(lambda pair, _: "/".join(pair).lower() == subject)
        elif kind == REVOCATION_KIND_USER:
            self._answers.drop(lambda pair, _: pair.user_id.lower() == subject)

    def clear(self) -> None:
        """Forgets everything."""
        self._answers.clear()

    async def _ask(self, pair: _Pair) -> Answer[Membership]:
        request = GetMembershipRequest(org_id=pair.org_id, user_id=pair.user_id)
        try:
            response = await self._channel.unary(GET_MEMBERSHIP, request)
        except AppError as error:
            if error.reason == REASON_INVALID_ARGUMENT:
                # An id that nobody can have, such as an application's, belongs nowhere.
                return Answer(Membership(""), _STRANGER_SECONDS)
            log.warning("a membership cannot be checked", reason=error.outcome.name)
            raise unavailable() from error
        membership = Membership(response.standing)
        return Answer(membership, _MEMBER_SECONDS if membership.member else _STRANGER_SECONDS)
