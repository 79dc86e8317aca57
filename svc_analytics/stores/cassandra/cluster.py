"""How the driver is set up."""

import socket

from cassandra import (
    AuthenticationFailed,
    ConsistencyLevel,
    OperationTimedOut,
    ProtocolVersion,
    RequestExecutionException,
    UnresolvableContactPoints,
)
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import (
    EXEC_PROFILE_DEFAULT,
    Cluster,
    ExecutionProfile,
    NoHostAvailable,
)
from cassandra.connection import ConnectionException
from cassandra.io.libevreactor import LibevConnection
from cassandra.policies import (
    ConstantReconnectionPolicy,
    DCAwareRoundRobinPolicy,
    TokenAwarePolicy,
    WhiteListRoundRobinPolicy,
)
from cassandra.protocol import IsBootstrappingErrorMessage, OverloadedErrorMessage, ServerError
from cassandra.query import tuple_factory

from svc_analytics.stores.cassandra.address import Address

# Those who wait less have a deadline of their own.
REQUEST_SECONDS = 5.0
# A node that has just started is slow.
CONNECT_SECONDS = 5.0
# A node that stops answering without closing its connections is found out by this.
HEARTBEAT_SECONDS = 2
# Between two tries to reach a node that is away.
AGAIN_SECONDS = 1.0
# What says that the cluster cannot answer now; anything else is a mistake of ours.
AWAY: tuple[type[Exception], ...] = (
    NoHostAvailable,
    OperationTimedOut,
    RequestExecutionException,
    ConnectionException,
    OverloadedErrorMessage,
    IsBootstrappingErrorMessage,
    ServerError,
    UnresolvableContactPoints,
    socket.gaierror,
    AuthenticationFailed,
)


def new_cluster(address: Address, *, only_first: bool = False) -> Cluster:
    """Not connected yet. Answers of the local quorum, within `REQUEST_SECONDS` each."""
    nodes = TokenAwarePolicy(DCAwareRoundRobinPolicy(local_dc=address.datacenter))
    if only_first:
        nodes = WhiteListRoundRobinPolicy([address.hosts[0][0]])
    profile = ExecutionProfile(
        load_balancing_policy=nodes,
        consistency_level=ConsistencyLevel.LOCAL_QUORUM,
        request_timeout=REQUEST_SECONDS,
        row_factory=tuple_factory,
    )
    credentials = PlainTextAuthProvider(address.username, address.password)
    return Cluster(
        contact_points=list(address.hosts[:1] if only_first else address.hosts),
        port=address.hosts[0][1],
        auth_provider=credentials if address.username else None,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        protocol_version=ProtocolVersion.V5,
        connection_class=LibevConnection,
        reconnection_policy=ConstantReconnectionPolicy(AGAIN_SECONDS, max_attempts=None),
        connect_timeout=CONNECT_SECONDS,
        control_connection_timeout=CONNECT_SECONDS,
        idle_heartbeat_interval=HEARTBEAT_SECONDS,
        idle_heartbeat_timeout=HEARTBEAT_SECONDS,
        monitor_reporting_enabled=False,
    )
