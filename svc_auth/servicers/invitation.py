"""leaky.auth.v1.InvitationService."""

from dataclasses import dataclass
from typing import ClassVar

from google.protobuf.descriptor import ServiceDescriptor

from leaky.auth.v1 import invitation_service_pb2 as pb
from leaky.auth.v1.invitation_pb2 import Invitation as InvitationMessage
from leaky.auth.v1.invitation_pb2 import NewInvitation
from mesh.rpc.call import Call
from mesh.rpc.times import timestamp
from svc_auth.domain.invitation import Invitation
from svc_auth.servicers.caller import caller_of
from svc_auth.servicers.wire import standing_at, uuid_of
from svc_auth.usecases.accept_invitation import AcceptInvitation
from svc_auth.usecases.delete_invitation import DeleteInvitation
from svc_auth.usecases.invite_member import InviteMember
from svc_auth.usecases.list_invitations import ListInvitations


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationServicer:
    """Invitations into organisations."""

    SERVICE: ClassVar[ServiceDescriptor] = pb.DESCRIPTOR.services_by_name["InvitationService"]
    invite: InviteMember
    invitations_of: ListInvitations
    delete: DeleteInvitation
    accept: AcceptInvitation

    async def create_invitation(
        self, request: pb.CreateInvitationRequest, call: Call
    ) -> pb.CreateInvitationResponse:
        """Makes an invitation and shows its token, once."""
        made, token = await self.invite(
            caller_of(call),
            org_id=uuid_of("org_id", request.org_id),
            email=request.email,
            standing=standing_at("role", request.role),
        )
        shown = NewInvitation(
            id=made.id,
            org_id=made.org_id,
            email=made.email,
            role=made.standing,
            created_at=timestamp(made.created_at),
            expires_at=timestamp(made.expires_at),
            token=token,
        )
        return pb.CreateInvitationResponse(invitation=shown)

    async def list_invitations(
        self, request: pb.ListInvitationsRequest, _call: Call
    ) -> pb.ListInvitationsResponse:
        """The invitations that may still be accepted."""
        found = await self.invitations_of(org_id=uuid_of("org_id", request.org_id))
        return pb.ListInvitationsResponse(invitations=[_message(one) for one in found])

    async def delete_invitation(
        self, request: pb.DeleteInvitationRequest, call: Call
    ) -> pb.DeleteInvitationResponse:
        """Withdraws an invitation."""
        await self.delete(
            caller_of(call),
            org_id=uuid_of("org_id", request.org_id),
            invitation_id=uuid_of("invitation_id", request.invitation_id),
        )
        return pb.DeleteInvitationResponse()

    async def accept_invitation(
        self, request: pb.AcceptInvitationRequest, call: Call
    ) -> pb.AcceptInvitationResponse:
        """Makes the caller a member."""
        accepted = await self.accept(caller_of(call), token=request.token)
        return pb.AcceptInvitationResponse(
            org_id=accepted.organization.id,
            name=accepted.organization.name,
            user_id=accepted.user_id,
            role=accepted.standing,
        )


def _message(invitation: Invitation) -> InvitationMessage:
    return InvitationMessage(
        id=invitation.id,
        org_id=invitation.org_id,
        email=invitation.email,
        role=invitation.standing,
        invited_by=invitation.invited_by,
        created_at=timestamp(invitation.created_at),
        expires_at=timestamp(invitation.expires_at),
    )
