"""Settings: typed, from environment and file, live where marked; docs/configuration.md lists them."""

from mesh.settings.live import Live
from mesh.settings.model import Deadlines, MeshSettings, Ports, Section, live

__all__ = ["Deadlines", "Live", "MeshSettings", "Ports", "Section", "live"]
