#!/usr/bin/env bash
# Consul (one server, UI) on loopback: install | start DIR | stop DIR | status DIR | url DIR.
# Ports: CONSUL_HTTP_PORT, CONSUL_DNS_PORT, CONSUL_GRPC_PORT, CONSUL_SERVER_PORT, CONSUL_SERF_PORT.
# Data, log, configuration and the management token (0600) are under DIR/consul. What the agent allows is in
# consul/agent.hcl; what this script adds is where it listens, where it keeps its data, and that token.
# shellcheck disable=SC2034
part=consul
ports=(CONSUL_HTTP_PORT=8500 CONSUL_DNS_PORT=8600 CONSUL_GRPC_PORT=8502 CONSUL_SERVER_PORT=8300 CONSUL_SERF_PORT=8301)
patience=60
here=$(cd "$(dirname "$0")" && pwd -P)
# shellcheck source-path=SCRIPTDIR source=shared/lifecycle.sh
. "$here/shared/lifecycle.sh"
# shellcheck source-path=SCRIPTDIR source=shared/install.sh
. "$here/shared/install.sh"
agent=$(dirname "$(dirname "$here")")/consul/agent.hcl

part_install() {
  local recipe=$here/consul/go.mod
  build_once "consul-$(sed -n 's/^require .* v//p' "$recipe")" "$recipe" compile
}

# The checksum database vouches for every module, so no go.sum is kept here.
compile() {
  need_go
  mkdir "$1/module"
  cp "$here/consul/go.mod" "$1/module"
  (cd "$1/module" && GOFLAGS=-mod=mod go build -o "$1/consul" github.com/hashicorp/consul)
  rm -r "$1/module"
}

part_configure() {
  mkdir -p "$home/data"
  chmod 700 "$home"
  if [[ ! -s $home/token ]]; then
    (umask 077 && tr -d '\n' </proc/sys/kernel/random/uuid >"$home/token.new")
    mv "$home/token.new" "$home/token"
  fi
  (umask 077 && configuration >"$home/native.hcl")
}

# The agent itself uses the management token too, until a token of its own is set over the API (and kept).
configuration() {
  cat <<CONF
data_dir = "$home/data"
bind_addr = "127.0.0.1"
client_addr = "127.0.0.1"
ports {
  http = $port
  dns = $CONSUL_DNS_PORT
  grpc = $CONSUL_GRPC_PORT
  grpc_tls = -1
  server = $CONSUL_SERVER_PORT
  serf_lan = $CONSUL_SERF_PORT
  serf_wan = -1
}
acl {
  tokens {
    initial_management = "$(<"$home/token")"
    agent = "$(<"$home/token")"
  }
}
CONF
}

part_command() {
  mark=-config-file=$home/native.hcl
  command=("${built:-}/consul" agent -node=leaky "-config-file=$agent" "$mark")
}

# A leader, and the token accepted by it (or no ACLs at all).
part_answers() {
  [[ $(asked /v1/status/leader) == *'"127.0.0.1:'* ]] || return 1
  local answer
  answer=$(asked /v1/acl/token/self) || return 1
  [[ $answer == HTTP/1.?\ 200* || $answer == *'ACL support disabled'* ]]
}

asked() { get "$1" "X-Consul-Token: $(cat "$home/token" 2>/dev/null)"; }

part_url() {
  echo "PARTS_CONSUL=consul://127.0.0.1:$port"
  echo "PARTS_CONSUL_TOKEN_FILE=$home/token"
}

run "$@"
