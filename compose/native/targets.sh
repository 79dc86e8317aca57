#!/usr/bin/env bash
# What tells Prometheus whom to ask, from Consul (`leaky consul targets`), on loopback:
# install | start DIR | stop DIR | status DIR | url DIR. Port: TARGETS_PORT. Log and token (0600) are under DIR/targets.
# Where things are, `start` reads from its environment:
#   PARTS_CONSUL        the Consul that it asks; unless given, the one in DIR
#   TARGETS_TOKEN_FILE  the token it shows; unless given, DIR/consul/tokens/prometheus/token, which is there once
#                       `leaky consul bootstrap` has made it
# shellcheck disable=SC2034
part=targets
ports=(TARGETS_PORT=9190)
patience=60
here=$(cd "$(dirname "$0")" && pwd -P)
# shellcheck source-path=SCRIPTDIR source=shared/lifecycle.sh
. "$here/shared/lifecycle.sh"
leaky=$(dirname "$(dirname "$here")")/.venv/bin/leaky

part_install() { [[ -x $leaky ]] || fail "there is no $leaky yet: make .venv/.run"; }

part_configure() {
  local given=${TARGETS_TOKEN_FILE:-$folder/consul/tokens/prometheus/token}
  [[ -r $given ]] || fail "there is no $given: leaky consul bootstrap makes it (make run-full does), or name another as TARGETS_TOKEN_FILE"
  chmod 700 "$home"
  (umask 077 && cp "$given" "$home/token")
  echo "${PARTS_CONSUL:-$("$here/consul.sh" url "$folder" | sed -n 's/^PARTS_CONSUL=//p')}" >"$home/registry"
}

part_command() {
  local registry=
  [[ ! -r $home/registry ]] || registry=$(<"$home/registry")
  mark=--token-file=$home/token
  command=("$leaky" consul targets "$mark" "--listen=127.0.0.1:$port" "--registry=$registry" "--data=$home")
}

# Its own protocol, whether or not Consul is there.
part_answers() { [[ $(get /targets) == HTTP/1.1\ * ]]; }

part_url() { echo "PARTS_TARGETS=http://127.0.0.1:$port"; }

run "$@"
