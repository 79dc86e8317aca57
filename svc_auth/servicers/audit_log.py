"""leaky.auth.v1.AuditLogService."""

from dataclasses import dataclass
from typing import ClassVar

from google.protobuf.descriptor import ServiceDescriptor

from leaky.auth.v1 import audit_service_pb2
from leaky.auth.v1.audit_service_pb2 import AuditEntry as EntryMessage
from leaky.auth.v1.audit_service_pb2 import ListAuditEntriesRequest, ListAuditEntriesResponse
from mesh.rpc.call import Call
from mesh.rpc.times import timestamp
from svc_auth.domain.audit import AuditLine
from svc_auth.servicers.wire import micros_of
from svc_auth.usecases.read_audit_log import ReadAuditLog


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLogServicer:
    """The audit log."""

    SERVICE: ClassVar[ServiceDescriptor] = audit_service_pb2.DESCRIPTOR.services_by_name[
        "AuditLogService"
    ]
    read: ReadAuditLog

    async def list_audit_entries(
        self, request: ListAuditEntriesRequest, _call: Call
    ) -> ListAuditEntriesResponse:
        """A page, newest first."""
        lines = await self.read(
            user=request.user_id or None,
            action=request.action or None,
            since=micros_of("since", request.since) if request.HasField("since") else None,
            until=micros_of("until", request.until) if request.HasField("until") else None,
            before=request.before_seq or None,
            limit=request.limit,
        )
        return ListAuditEntriesResponse(entries=map(_message, lines))


def _message(line: AuditLine) -> EntryMessage:
    entry, caller = line.entry, line.entry.caller
    return EntryMessage(
        seq=line.seq,
        at=timestamp(entry.at),
        actor=caller.actor,
        api_key_id=caller.api_key_id,
        action=entry.action,
        outcome=entry.outcome,
        subject_kind=entry.subject_kind,
        subject_id=entry.subject_id,
        user_id=entry.user_id,
        detail=entry.detail,
        address=caller.address,
        correlation_id=caller.correlation_id,
        trace_id=caller.trace_id,
    )
