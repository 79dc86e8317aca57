"""The other end of a stream of calls, whose frames a test writes."""

from typing import Any

import grpc

from leaky.mesh.v1.mux_service_pb2 import Frame
from mesh.rpc.mux.serving import OPEN

PATIENCE = 20.0


class Peer:
    """A caller that sends frames by hand."""

    def __init__(self, port: int) -> None:
        self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        self.stream: Any = self._channel.stream_stream(OPEN)(timeout=PATIENCE)

    async def send(self, frame: Frame) -> None:
        await self.stream.write(frame.SerializeToString())

    async def receive(self) -> Frame:
        data = await self.stream.read()
        assert isinstance(data, bytes)
        return Frame.FromString(data)

    async def close(self) -> None:
        await self._channel.close()
