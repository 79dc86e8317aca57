"""The pages: plain HTML that needs no script, and the policies that they are sent with."""

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from starlette.responses import HTMLResponse

# What each scope means to the one who is asked.
MEANINGS = {
    "openid": "Know that it is you",
    "profile": "See your user name",
    "email": "See your e-mail address",
    "offline_access": "Do all of this also while you are away",
    "tokens.read": "See your quotas, purchases and usage",
    "tokens.write": "Spend and buy tokens for you",
}
_STYLE = """
body { font: 1.1rem/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff;
  max-width: 26rem; margin: 3rem auto; padding: 0 1rem }
label, input { display: block }
input { box-sizing: border-box; width: 100%; font: inherit; padding: .4rem .5rem;
  margin: .2rem 0 1rem; border: 1px solid #595959; border-radius: .25rem }
button { font: inherit; padding: .45rem 1.1rem; margin: 0 .5rem .5rem 0; cursor: pointer;
  border: 1px solid #0b4f9e; border-radius: .25rem; color: #0b4f9e; background: #fff }
button.main { color: #fff; background: #0b4f9e }
:focus-visible { outline: 3px solid #b45309; outline-offset: 2px }
.error { border-left: .3rem solid #b00020; padding: .4rem .8rem; color: #8c0019; background: #fdf2f3 }
"""  # noqa: E501 a style sheet's line
# Sends a form without a click, where scripts run; there is a button beside it.
_SCRIPT = "document.forms[0].submit()"


def _fingerprint(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


_ENVIRONMENT = Environment(
    loader=PackageLoader("svc_auth.oauth2"),
    autoescape=select_autoescape(default=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
# Ours, not a user's: a style sheet's quotes must stay what they are.
_ENVIRONMENT.globals.update(style=Markup(_STYLE), script=Markup(_SCRIPT), meanings=MEANINGS)  # noqa: S704
_POLICY = (
    "default-src 'none'; style-src {style}; script-src {script}; form-action 'self' {target};"
    " base-uri 'none'; frame-ancestors 'none'"
)


def page(
    name: str, values: Mapping[str, Any], *, status: int = 200, redirect_uri: str = ""
) -> HTMLResponse:
    """The page; `redirect_uri` is where its form may lead in the end.

    Browsers hold `form-action` against redirects after a form, too.
    """
    text = _ENVIRONMENT.get_template(f"{name}.html").render(values)
    script = _fingerprint(_SCRIPT) if name == "form_post" else "'none'"
    policy = _POLICY.format(style=_fingerprint(_STYLE), script=script, target=_source(redirect_uri))
    headers = {"Cache-Control": "no-store", "Content-Security-Policy": policy.replace(" ;", ";")}
    return HTMLResponse(text, status, headers=headers)


def _source(uri: str) -> str:
    parts = urlsplit(uri)
    if parts.scheme in {"http", "https"}:
        return f"{parts.scheme}://{parts.netloc}"
    return f"{parts.scheme}:" if parts.scheme else ""
