"""Pages for requests that have nowhere to go back to."""

from authlib.oauth2 import OAuth2Error
from starlette.requests import Request
from starlette.responses import Response

from svc_auth.oauth2.bounded import Endpoint, bounded
from svc_auth.oauth2.browser import StaleFormError
from svc_auth.oauth2.pages import page
from svc_auth.usecases.oauth2.validate_authorization import UntrustedRequestError

_STALE = "This page has been open for too long, or your browser refuses cookies."
_BAD_REQUEST = 400


def paged(endpoint: Endpoint) -> Endpoint:
    """The endpoint, in time; what has nowhere to go back to becomes a page."""
    endpoint = bounded(endpoint)

    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except UntrustedRequestError as error:
            message = str(error)
        except StaleFormError:
            message = _STALE
        except OAuth2Error as error:
            message = f"The request cannot be read: {error.description}."
        return page("problem", {"message": message}, status=_BAD_REQUEST)

    return answered
