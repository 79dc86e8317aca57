"""leaky.auth.v1.OrganizationService."""

from dataclasses import dataclass
from typing import ClassVar

from google.protobuf.descriptor import ServiceDescriptor

from leaky.auth.v1 import organization_service_pb2
from leaky.auth.v1.organization_service_pb2 import (
    DeleteMemberRequest,
    DeleteMemberResponse,
    GetMembershipRequest,
    GetMembershipResponse,
    PutMemberRequest,
    PutMemberResponse,
)
from mesh.rpc.call import Call
from svc_auth.domain.membership import Standing
from svc_auth.servicers.caller import caller_of
from svc_auth.servicers.wire import uuid_of
from svc_auth.usecases.delete_member import DeleteMember
from svc_auth.usecases.get_membership import GetMembership
from svc_auth.usecases.put_member import PutMember


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationServicer:
    """Who belongs to which organisation."""

    SERVICE: ClassVar[ServiceDescriptor] = organization_service_pb2.DESCRIPTOR.services_by_name[
        "OrganizationService"
    ]
    put: PutMember
    delete: DeleteMember
    standing_of: GetMembership

    async def put_member(self, request: PutMemberRequest, call: Call) -> PutMemberResponse:
        """Makes a user a member."""
        await self.put(
            caller_of(call),
            org_id=uuid_of("org_id", request.org_id),
            user_id=uuid_of("user_id", request.user_id),
        )
        return PutMemberResponse()

    async def delete_member(self, request: DeleteMemberRequest, call: Call) -> DeleteMemberResponse:
        """Ends a membership."""
        await self.delete(
            caller_of(call),
            org_id=uuid_of("org_id", request.org_id),
            user_id=uuid_of("user_id", request.user_id),
        )
        return DeleteMemberResponse()

    async def get_membership(
        self, request: GetMembershipRequest, _call: Call
    ) -> GetMembershipResponse:
        """Whether a user belongs to an organisation, and as what."""
        standing = await self.standing_of(
            org_id=uuid_of("org_id", request.org_id), user_id=uuid_of("user_id", request.user_id)
        )
        return GetMembershipResponse(member=standing is not None, owner=standing is Standing.OWNER)
