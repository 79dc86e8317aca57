"""leaky.token.v1.MemberCapService."""

from typing import ClassVar

from google.protobuf.descriptor import ServiceDescriptor

from leaky.token.v1 import member_cap_service_pb2 as pb
from mesh.rpc.call import Call
from mesh.rpc.times import timestamp
from svc_token.usecases.member_caps import CapView, MemberCaps


class MemberCapServicer:
    """Members' shares."""

    SERVICE: ClassVar[ServiceDescriptor] = pb.DESCRIPTOR.services_by_name["MemberCapService"]

    def __init__(self, caps: MemberCaps) -> None:
        self._caps = caps

    async def set_member_cap(
        self, request: pb.SetMemberCapRequest, _call: Call
    ) -> pb.SetMemberCapResponse:
        """Sets one."""
        view = await self._caps.put(
            request.org_id, request.provider, request.user_id, request.max_tokens
        )
        return pb.SetMemberCapResponse(cap=_cap(view))

    async def remove_member_cap(
        self, request: pb.RemoveMemberCapRequest, _call: Call
    ) -> pb.RemoveMemberCapResponse:
        """Removes one."""
        await self._caps.remove(request.org_id, request.provider, request.user_id)
        return pb.RemoveMemberCapResponse()

    async def list_member_caps(
        self, request: pb.ListMemberCapsRequest, _call: Call
    ) -> pb.ListMemberCapsResponse:
        """Lists those of a pool."""
        views = await self._caps.all(request.org_id, request.provider)
        return pb.ListMemberCapsResponse(caps=map(_cap, views))


def _cap(view: CapView) -> pb.MemberCap:
    return pb.MemberCap(
        org_id=view.cap.pool.owner.id,
        user_id=view.cap.user_id,
        provider=view.cap.pool.provider,
        max_tokens=view.cap.cap,
        used_tokens=view.cap.used,
        reset_time=timestamp(view.window.end_us),
    )
