"""The documentation: OpenAPI documents, and swagger-ui from its package, not from a CDN."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import BaseRoute
from swagger_ui_bundle import swagger_ui_path

from leaky.common.v1.reason_pb2 import REASON_PATH_NOT_FOUND
from mesh.edge.headers import VIEWER_POLICY
from mesh.edge.metrics import CountedRoute
from mesh.edge.openapi import for_old_viewers
from mesh.errors import AppError

_ASSETS = frozenset(
    {
        "favicon-16x16.png",
        "favicon-32x32.png",
        "index.css",
        "swagger-ui-bundle.js",
        "swagger-ui-standalone-preset.js",
        "swagger-ui.css",
    }
)
_PAGE = """<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>API documentation</title>
    <link rel="stylesheet" href="/swagger-ui/swagger-ui.css">
    <link rel="stylesheet" href="/swagger-ui/index.css">
    <link rel="icon" type="image/png" href="/swagger-ui/favicon-32x32.png" sizes="32x32">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="/swagger-ui/swagger-ui-bundle.js"></script>
    <script src="/swagger-ui/swagger-ui-standalone-preset.js"></script>
    <script src="/swagger-ui/swagger-initializer.js"></script>
  </body>
</html>
"""
# The validator is another site's; this page talks to its own origin only.
_INITIALIZER = """window.onload = function () {
  window.ui = SwaggerUIBundle({
    url: "/swagger-ui/openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    validatorUrl: null,
    presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
    layout: "StandaloneLayout"
  });
};
"""


class Docs:
    """The routes of the documentation; `describe` gives the OpenAPI 3.1 document."""

    def __init__(self, describe: Callable[[], dict[str, Any]]) -> None:
        self._describe = describe

    def routes(self) -> list[BaseRoute]:
        """Everything served here."""
        viewers = ("/docs", "/swagger-ui/index.html")
        return [
            CountedRoute("/openapi.json", self._document),
            CountedRoute("/v3/api-docs", self._document),
            CountedRoute("/swagger-ui/openapi.json", self._document_for_viewer),
            CountedRoute("/swagger-ui.html", _to_viewer),
            CountedRoute("/swagger-ui/swagger-initializer.js", _initializer),
            *(CountedRoute(path, _viewer) for path in viewers),
            CountedRoute("/swagger-ui/{name}", _asset),
        ]

    async def _document(self, _request: Request) -> Response:
        return _json(self._describe())

    async def _document_for_viewer(self, _request: Request) -> Response:
        return _json(for_old_viewers(self._describe()))


def _json(document: dict[str, Any]) -> Response:
    return Response(orjson.dumps(document), media_type="application/json")


async def _to_viewer(_request: Request) -> Response:
    return RedirectResponse("/swagger-ui/index.html")


async def _viewer(_request: Request) -> Response:
    headers = {"content-security-policy": VIEWER_POLICY}
    return Response(_PAGE, media_type="text/html", headers=headers)


async def _initializer(_request: Request) -> Response:
    return Response(_INITIALIZER, media_type="text/javascript")


async def _asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _ASSETS:
        raise AppError(REASON_PATH_NOT_FOUND, "not found")
    return FileResponse(Path(str(swagger_ui_path), name))
