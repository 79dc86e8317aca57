from prometheus_client import REGISTRY

from mesh.telemetry.sampled import Sampled
from mesh.telemetry.tally import Gauge


def test_it_is_the_sum_of_those_who_are_there() -> None:
    gauge = Gauge("test_sampled", "A test's.")
    sampled, queue = Sampled(gauge), [1, 2, 3]
    try:
        assert REGISTRY.get_sample_value("test_sampled") == 0
        with sampled.reading(lambda: len(queue)), sampled.reading(lambda: 10):
            assert REGISTRY.get_sample_value("test_sampled") == 13
            queue.clear()
            assert REGISTRY.get_sample_value("test_sampled") == 10
        assert REGISTRY.get_sample_value("test_sampled") == 0
    finally:
        REGISTRY.unregister(gauge)
