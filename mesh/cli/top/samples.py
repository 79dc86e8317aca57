"""What a process says at /metrics, by name and labels."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

Labels = frozenset[tuple[str, str]]
Series = Mapping[Labels, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """One answer: for each sample's name (`..._bucket`, `..._count`) its series."""

    series: Mapping[str, Series]

    def of(self, name: str) -> Series:
        """All series of a name; none where it is not told."""
        return self.series.get(name, {})

    @property
    def started(self) -> float:
        """When the process began, in seconds since 1970; 0 where it does not tell."""
        return self.of("process_start_time_seconds").get(frozenset(), 0.0)


def parse(text: str) -> Samples:
    """Reads the text format. Raises ValueError for what is none."""
    found: dict[str, dict[Labels, float]] = {}
    try:
        for name, labels, value in _samples(text):
            found.setdefault(name, {})[labels] = value
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        # The parser was written for what is well formed.
        message = f"this is not Prometheus' text format: {error}"
        raise ValueError(message) from error
    return Samples(series=found)


def _samples(text: str) -> Iterator[tuple[str, Labels, float]]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield sample.name, frozenset(sample.labels.items()), float(sample.value)
