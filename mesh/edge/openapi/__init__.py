"""OpenAPI from descriptors."""

from mesh.edge.openapi.dialect import for_old_viewers
from mesh.edge.openapi.document import document

__all__ = ["document", "for_old_viewers"]
