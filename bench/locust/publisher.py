"""svc_analytics' IngestService, as svc_token calls it, from a process that gevent runs."""

import uuid
from argparse import Namespace
from pathlib import Path
from urllib.parse import urlsplit

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from grpc.experimental import gevent

from leaky.analytics.v1.ingest_service_pb2 import PublishUsageRequest, PublishUsageResponse
from leaky.analytics.v1.usage_event_pb2 import UsageEvent
from mesh.pki.leaf_folder import LeafFolder
from mesh.pki.spiffe import SpiffeId

PORT = 9083
# As long as a system of the load's own takes a call's time to be.
TIMEOUT_SECONDS = 30.0
_PUBLISH = "/leaky.analytics.v1.IngestService/PublishUsage"
_REASON = "load"

gevent.init_gevent()


class RefusedError(Exception):
    """A batch that was not taken."""


class Publisher:
    """One user's channel; `host` is the URL of the edge, on whose machine the service is."""

    def __init__(self, options: Namespace, host: str, user_id: str) -> None:
        target = options.grpc_target or f"{urlsplit(host).hostname}:{PORT}"
        self._options, self._user_id = options, user_id
        self._channel = _channel(target, options.leaf)
        # The generated stubs are typed for asyncio.
        self._publish = self._channel.unary_unary(
            _PUBLISH,
            request_serializer=PublishUsageRequest.SerializeToString,
            response_deserializer=PublishUsageResponse.FromString,
        )

    def publish(self) -> None:
        """Sends a batch of new events; it is stored once this returns. Raises RefusedError."""
        request = PublishUsageRequest(events=[self._event() for _ in range(self._options.batch)])
        try:
            answer = self._publish(request, timeout=TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            raise RefusedError(f"{error.code().name} {error.details()}") from error
        if answer.stored != self._options.batch:
            raise RefusedError(f"{answer.stored} of {self._options.batch} were stored")

    def close(self) -> None:
        """No more calls."""
        self._channel.close()

    def _event(self) -> UsageEvent:
        now = Timestamp()
        now.GetCurrentTime()
        return UsageEvent(
            event_id=str(uuid.uuid4()),
            user_id=self._user_id,
            provider=self._options.provider,
            tokens=self._options.tokens,
            allowed=False,
            reason=_REASON,
            timestamp=now,
            schema_version=1,
        )


def _channel(target: str, leaf: str) -> grpc.Channel:
    if not leaf:
        return grpc.insecure_channel(target)
    own = LeafFolder(Path(leaf)).read()
    credentials = grpc.ssl_channel_credentials(
        own.roots.encode(), own.key.encode(), own.chain.encode()
    )
    host = SpiffeId(trust_domain=own.who.trust_domain, name="analytics").host
    return grpc.secure_channel(target, credentials, [("grpc.ssl_target_name_override", host)])
