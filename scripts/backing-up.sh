# What the scripts that back up and restore share. Not run by itself.
# shellcheck shell=bash disable=SC2034
set -euo pipefail
umask 077

name=$(basename "$0" .sh)
fail() {
  echo "$name: $*" >&2
  exit 1
}
# The script's own first lines are its manual.
usage() {
  sed -n '2,/^$/s/^#\( \|$\)//p' "$0" >&2
  exit 2
}

# A backup is there as a whole or not at all, and replaces none: it is written beside its place, then moved.
begin_output() {
  output=$1
  [[ ! -e $output && ! -L $output ]] || fail "$output is there already; nothing was written"
  mkdir -p "$(dirname "$output")"
  partial=$(mktemp -d "$output.partial-XXXXXX")
  trap 'rm -rf "$partial"' EXIT
}

end_output() {
  mv -T --no-clobber "$partial" "$output"
  [[ ! -e $partial ]] || fail "$output appeared meanwhile; nothing was written there"
  echo "$name: $output ($(du -sh "$output" | cut -f 1))"
}

# read_url URL DEFAULT-PORT: sets url_scheme, url_user, url_password, url_host, url_port.
# Options are refused: to drop ?sslmode=require would be to send the password in the clear.
read_url() {
  local -a parts
  local printed
  printed=$(URL=$1 python3 -c 'import os
from urllib.parse import unquote, urlsplit
url = urlsplit(os.environ["URL"])
assert not url.query
print(url.scheme, unquote(url.username or ""), unquote(url.password or ""), url.hostname or "", url.port or "", sep="\n")' 2>/dev/null) ||
    fail 'the URL cannot be read, or has options (libpq takes them as PGSSLMODE and so on)'
  mapfile -t parts <<<"$printed"
  url_scheme=${parts[0]} url_user=${parts[1]} url_password=${parts[2]} url_host=${parts[3]} url_port=${parts[4]:-$2}
  [[ -n $url_host ]] || fail 'the URL names no host'
}
