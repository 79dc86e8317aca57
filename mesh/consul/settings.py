"""A service's settings from Consul KV."""

from collections.abc import Sequence

from mesh.consul.kv import settings_folder
from mesh.settings.kv import KvSource
from mesh.settings.model import MeshSettings
from mesh.settings.names import Name
from mesh.settings.remote import LastGood


def kv_source(settings: MeshSettings, names: Sequence[Name], service: str) -> KvSource:
    """`leaky/{service}` of the registry, which is Consul; `names` are the service's settings."""
    return KvSource(
        opened=lambda: settings_folder(settings, service),
        names=names,
        last_good=LastGood(settings.data, service),
    )
