"""A plan's requests as a script for wrk."""

import json

from bench.fresh import HEAD, SCATTER, Ids
from bench.plan import FRESH, Request

_PIECES = f"""\
local all, following, at = {{}}, {{}}, 0
local function pieces(text)
  local found, from = {{}}, 1
  while true do
    local first, last = string.find(text, "{FRESH}", from, true)
    found[#found + 1] = string.sub(text, from, (first or 0) - 1)
    if not first then return found end
    from = last + 1
  end
end
"""
_REQUEST = f"""\
local number, tail, open, ready = 0, "%s", {{}}, {{}}
local function fresh()
  number = number + 1
  return string.format("%%08x", number * {SCATTER} %% 4294967296) .. tail
end
function request()
  if #ready > 0 then return table.remove(ready) end
  at = at %% #all + 1
  if #all[at] == 1 then return all[at][1] end
  local id = fresh()
  if following[at] then open[id] = following[at] end
  return table.concat(all[at], id)
end
"""
# wrk does not say which connection asks: what follows goes on the next that is free.
_RESPONSE = f"""\
function response(status, headers, body)
  local from = string.find(body, tail, 1, true)
  local id = from and string.sub(body, from - {HEAD}, from + #tail - 1)
  if id and open[id] then
    if status < 300 then ready[#ready + 1] = table.concat(open[id], id) end
    open[id] = nil
  end
end
"""


def lua(requests: tuple[Request, ...]) -> str:
    """A script that sends these requests in turn, formatted once.

    What follows on a request is sent as soon as the answer with its id is there.
    """
    lines = []
    for number, each in enumerate(requests, 1):
        lines.append(f"  all[{number}] = pieces(wrk.format({_arguments(each)}))\n")
        if each.then:
            lines.append(f"  following[{number}] = pieces(wrk.format({_arguments(each.then)}))\n")
    init = f"function init(args)\n{''.join(lines)}end\n"
    response = _RESPONSE if any(each.then for each in requests) else ""
    return _PIECES + init + _REQUEST % Ids().tail + response


def _arguments(request: Request) -> str:
    headers = ", ".join(f"[{_text(k)}] = {_text(v)}" for k, v in request.headers.items())
    body = _text(request.body) if request.body else "nil"
    return f"{_text(request.method)}, {_text(request.path)}, {{{headers}}}, {body}"


def _text(text: str) -> str:
    # Of plain ASCII, JSON's texts are Lua's too.
    if not (text.isascii() and text.isprintable()):
        raise ValueError("not plain text")
    return json.dumps(text)
