"""What goes through streams of calls."""

from leaky.mesh.v1.mux_service_pb2 import Frame
from mesh.telemetry.closed import Closed
from mesh.telemetry.tally import Counter, Gauge, Histogram

_SIDES = {"side": ("client", "server")}
_FRAMES = Closed(Counter, "mux_frames_total", "Frames sent, by the side that sent them.", _SIDES)
_CALLS = Closed(
    Histogram,
    "mux_frame_calls",
    "Calls or results in each frame sent.",
    _SIDES,
    buckets=(0, 1, 2, 4, 8, 16, 32, 64, 128, 256),
)
_WAITING = Closed(Gauge, "mux_frames_waiting", "Frames that gather or wait for a write.", _SIDES)
_STREAMS = Closed(Gauge, "mux_streams", "Streams of calls that are open.", _SIDES)
QUEUED = Gauge("mux_calls_queued", "Calls that wait for a place among those in flight.")


class SideMetrics:
    """One side's: "client", who calls, or "server"."""

    def __init__(self, side: str) -> None:
        self._frames = _FRAMES.of(side)
        self._calls = _CALLS.of(side)
        self.waiting = _WAITING.of(side)
        self.streams = _STREAMS.of(side)

    def sent(self, frame: Frame) -> None:
        """Counts a frame that is about to be written."""
        self._frames.inc()
        self._calls.observe(len(frame.calls) or len(frame.results))


CLIENT = SideMetrics("client")
SERVER = SideMetrics("server")
