"""One resilient channel to each service, made when first asked for."""

from collections.abc import Callable, Mapping

from mesh.discovery.instances import Discovery
from mesh.rpc.balanced_channel import BalancedChannel
from mesh.rpc.channel import Channel
from mesh.rpc.resilient import ResilientChannel
from mesh.settings import Live, MeshSettings
from mesh.telemetry.channel import MeasuredChannel

# Who writes down, and counts, where what it does was asked for.
_ASK_WHO = {"auth"}


class Channels:
    """Channels by service name."""

    def __init__(self, settings: Live[MeshSettings], discovery: Discovery) -> None:
        self._settings = settings
        self._discovery = discovery
        self._channels: dict[str, Channel] = {}
        self._identify: Callable[[], Mapping[str, str]] = dict

    def identify(self, metadata: Callable[[], Mapping[str, str]]) -> None:
        """Sets what proves this service to others on internal methods."""
        self._identify = metadata

    def to(self, service: str) -> Channel:
        """The channel to a service, such as "auth"."""
        if service not in self._channels:
            self._channels[service] = ResilientChannel(
                inner=MeasuredChannel(BalancedChannel(self._discovery.instances(service))),
                target=service,
                settings=self._settings,
                identify=self._proof,
                tells_client=service in _ASK_WHO,
            )
        return self._channels[service]

    def _proof(self) -> Mapping[str, str]:
        return self._identify()

    async def close(self) -> None:
        """Ends them all."""
        for channel in self._channels.values():
            await channel.close()
