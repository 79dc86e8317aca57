"""One resilient channel to each service, made when first asked for."""

from mesh.discovery.instances import Discovery
from mesh.rpc.balanced_channel import BalancedChannel
from mesh.rpc.channel import Channel
from mesh.rpc.mux.channel import MultiplexedChannel
from mesh.rpc.resilient import ResilientChannel
from mesh.rpc.transport import PLAINTEXT, Transport
from mesh.settings import Live, MeshSettings
from mesh.telemetry.channel import MeasuredChannel
from mesh.telemetry.tracing.calls import TracedChannel

# Who writes down, and counts, where what it does was asked for.
_ASK_WHO = {"auth"}


class Channels:
    """Channels by service name."""

    def __init__(
        self,
        settings: Live[MeshSettings],
        discovery: Discovery,
        transport: Transport = PLAINTEXT,
    ) -> None:
        self._settings = settings
        self._discovery = discovery
        self._transport = transport
        self._channels: dict[str, Channel] = {}

    def to(self, service: str) -> Channel:
        """The channel to a service, such as "auth"."""
        if service not in self._channels:
            self._channels[service] = ResilientChannel(
                inner=TracedChannel(MeasuredChannel(self._connected(service))),
                target=service,
                settings=self._settings,
                tells_client=service in _ASK_WHO,
            )
        return self._channels[service]

    def _connected(self, service: str) -> Channel:
        instances, transport = self._discovery.instances(service), self._transport
        plain = BalancedChannel(instances, service=service, transport=transport)
        if not self._settings.current.mesh.multiplex:
            return plain
        return MultiplexedChannel(plain, instances, service=service, transport=transport)

    async def close(self) -> None:
        """Ends them all."""
        for channel in self._channels.values():
            await channel.close()
