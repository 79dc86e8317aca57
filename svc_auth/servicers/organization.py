"""leaky.auth.v1.OrganizationService."""

from dataclasses import dataclass
from typing import ClassVar

from google.protobuf.descriptor import ServiceDescriptor

from leaky.auth.v1 import organization_pb2
from leaky.auth.v1 import organization_service_pb2 as pb
from mesh.rpc.call import Call
from mesh.rpc.times import timestamp
from svc_auth.domain.membership import Member
from svc_auth.domain.organization import Organization, OwnOrganization
from svc_auth.servicers.caller import caller_of
from svc_auth.servicers.wire import standing_at, uuid_of
from svc_auth.usecases.create_organization import CreateOrganization
from svc_auth.usecases.delete_member import DeleteMember
from svc_auth.usecases.get_membership import GetMembership
from svc_auth.usecases.get_organization import GetOrganization
from svc_auth.usecases.list_members import ListMembers
from svc_auth.usecases.list_organizations import ListOrganizations
from svc_auth.usecases.put_member import PutMember
from svc_auth.usecases.rename_organization import RenameOrganization
from svc_auth.usecases.set_member_role import SetMemberRole
from svc_auth.usecases.transfer_ownership import TransferOwnership


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationServicer:
    """Organisations, and who belongs to which as what."""

    SERVICE: ClassVar[ServiceDescriptor] = pb.DESCRIPTOR.services_by_name["OrganizationService"]
    create: CreateOrganization
    find: GetOrganization
    organizations_of: ListOrganizations
    rename: RenameOrganization
    members_of: ListMembers
    put: PutMember
    set_role: SetMemberRole
    delete: DeleteMember
    transfer: TransferOwnership
    standing_of: GetMembership

    async def create_organization(
        self, request: pb.CreateOrganizationRequest, call: Call
    ) -> pb.CreateOrganizationResponse:
        """Begins an organisation."""
        made = await self.create(caller_of(call), name=request.name)
        return pb.CreateOrganizationResponse(organization=_own(made))

    async def list_organizations(
        self, request: pb.ListOrganizationsRequest, _call: Call
    ) -> pb.ListOrganizationsResponse:
        """What a user belongs to."""
        found = await self.organizations_of(user_id=uuid_of("user_id", request.user_id))
        return pb.ListOrganizationsResponse(organizations=[_own(one) for one in found])

    async def get_organization(
        self, request: pb.GetOrganizationRequest, _call: Call
    ) -> pb.GetOrganizationResponse:
        """One organisation."""
        found = await self.find(org_id=uuid_of("org_id", request.org_id))
        return pb.GetOrganizationResponse(organization=_message(found))

    async def rename_organization(
        self, request: pb.RenameOrganizationRequest, call: Call
    ) -> pb.RenameOrganizationResponse:
        """Gives an organisation another name."""
        renamed = await self.rename(
            caller_of(call), org_id=uuid_of("org_id", request.org_id), name=request.name
        )
        return pb.RenameOrganizationResponse(organization=_message(renamed))

    async def list_members(
        self, request: pb.ListMembersRequest, _call: Call
    ) -> pb.ListMembersResponse:
        """Everybody who belongs to an organisation."""
        members = await self.members_of(org_id=uuid_of("org_id", request.org_id))
        return pb.ListMembersResponse(members=[_member(one) for one in members])

    async def put_member(self, request: pb.PutMemberRequest, call: Call) -> pb.PutMemberResponse:
        """Makes a user a member."""
        await self.put(
            caller_of(call),
            org_id=uuid_of("org_id", request.org_id),
            user_id=uuid_of("user_id", request.user_id),
        )
        return pb.PutMemberResponse()

    async def set_member_role(
        self, request: pb.SetMemberRoleRequest, call: Call
    ) -> pb.SetMemberRoleResponse:
        """Makes a member something else."""
        await self.set_role(
            caller_of(call),
            org_id=uuid_of("org_id", request.org_id),
            user_id=uuid_of("user_id", request.user_id),
            standing=standing_at("role", request.role),
        )
        return pb.SetMemberRoleResponse()

    async def delete_member(
        self, request: pb.DeleteMemberRequest, call: Call
    ) -> pb.DeleteMemberResponse:
        """Ends a membership."""
        await self.delete(
            caller_of(call),
            org_id=uuid_of("org_id", request.org_id),
            user_id=uuid_of("user_id", request.user_id),
        )
        return pb.DeleteMemberResponse()

    async def leave_organization(
        self, request: pb.LeaveOrganizationRequest, call: Call
    ) -> pb.LeaveOrganizationResponse:
        """Ends one's own membership."""
        await self.delete(
            caller_of(call),
            org_id=uuid_of("org_id", request.org_id),
            user_id=uuid_of("user_id", request.user_id),
            leaving=True,
        )
        return pb.LeaveOrganizationResponse()

    async def transfer_ownership(
        self, request: pb.TransferOwnershipRequest, call: Call
    ) -> pb.TransferOwnershipResponse:
        """Hands ownership on."""
        await self.transfer(
            caller_of(call),
            org_id=uuid_of("org_id", request.org_id),
            taker=uuid_of("user_id", request.user_id),
            # Nobody in particular comes this far in `local` alone.
            for_all=call.principal.admin or call.principal.anonymous,
        )
        return pb.TransferOwnershipResponse()

    async def get_membership(
        self, request: pb.GetMembershipRequest, _call: Call
    ) -> pb.GetMembershipResponse:
        """What a user is in an organisation."""
        standing = await self.standing_of(
            org_id=uuid_of("org_id", request.org_id), user_id=uuid_of("user_id", request.user_id)
        )
        return pb.GetMembershipResponse(standing=standing or "")


def _message(organization: Organization) -> organization_pb2.Organization:
    return organization_pb2.Organization(
        org_id=organization.id,
        name=organization.name,
        created_at=timestamp(organization.created_at),
    )


def _own(own: OwnOrganization) -> organization_pb2.OwnOrganization:
    return organization_pb2.OwnOrganization(
        org_id=own.organization.id,
        name=own.organization.name,
        role=own.standing,
        created_at=timestamp(own.organization.created_at),
    )


def _member(member: Member) -> organization_pb2.OrganizationMember:
    return organization_pb2.OrganizationMember(
        user_id=member.user_id,
        username=member.username,
        role=member.standing,
        joined_at=timestamp(member.joined_at),
    )
