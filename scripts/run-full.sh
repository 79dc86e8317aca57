#!/usr/bin/env bash
# The system on PostgreSQL, Redis, Kafka, Cassandra and Consul, without Docker: two of svc_token, and two of
# svc_gateway behind one port. Arguments are those of `leaky up`. Ctrl-C drains it and stops the parts it started;
# those that ran before stay.
# `compose/native/parts.sh up FOLDER targets alertmanager prometheus` beside it watches it; `... up FOLDER jaeger` before
# it takes its traces. They stop with the parts.
# The parts' data is under LEAKY_PARTS, by default a folder of this user's in /var/tmp; the system's under LEAKY_DATA.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd -P)
bin=$root/.venv/bin
native=$root/compose/native
parts=${LEAKY_PARTS:-/var/tmp/leaky-parts-$(id -u)}
export LEAKY_DATA=${LEAKY_DATA:-$root/.leaky/full}

step() { printf '\n== %s\n' "$*"; }

own_folder() {
  mkdir -p "$parts"
  [[ -O $parts && ! -L $parts ]] || { echo "$parts is somebody else's; choose another with LEAKY_PARTS" >&2; exit 1; }
}

# The parts that run, also those that do not answer, one a line. Only what was started has a pid.
running() {
  local file name code
  for file in "$parts"/*/pid; do
    [[ -e $file ]] || continue
    name=$(basename "$(dirname "$file")") code=0
    "$native/$name.sh" status "$parts" >/dev/null 2>&1 || code=$?
    ((code > 1)) || echo "$name"
  done
}

stop_ours() {
  local name ours=()
  for name in $(running); do
    [[ " ${before[*]} " == *" $name "* ]] || ours+=("$name")
  done
  [[ ${#ours[@]} -eq 0 ]] || { step "stopping the parts"; "$native/parts.sh" down "$parts" "${ours[@]}"; }
}

# TERM goes on to the command, and this script on when that has ended.
followed() {
  local code child
  "$@" &
  child=$!
  trap 'kill -TERM "$child" 2>/dev/null' TERM
  while :; do
    code=0
    wait "$child" || code=$?
    kill -0 "$child" 2>/dev/null || break
  done
  trap - TERM
  return "$code"
}

# Which store each part of the system is on. What carries a password goes by the environment, never by KV.
settings() {
  local postgresql=${PARTS_POSTGRESQL:?} redis=${PARTS_REDIS:?} kafka=${PARTS_KAFKA:?}
  export LEAKY_REGISTRY=${PARTS_CONSUL:?}
  export LEAKY_AUTH_STORE=$postgresql/leaky_auth LEAKY_TOKEN_STORE=$postgresql/leaky_token
  export LEAKY_STUBS_STORE=$postgresql/leaky_stubs LEAKY_ANALYTICS_STORE=${PARTS_CASSANDRA:?}/leaky
  export LEAKY_TOKEN_BUCKET_STORE=$redis/0 LEAKY_GATEWAY_RATE_LIMIT_STORE=$redis/1
  export LEAKY_TOKEN_USAGE_SINK=$kafka LEAKY_ANALYTICS_USAGE_SOURCE=$kafka
  # Where Jaeger runs beside the parts it gets the traces.
  export LEAKY_TRACING_ENDPOINT=${LEAKY_TRACING_ENDPOINT:-${PARTS_JAEGER_OTLP:-}}
  local tokens line
  tokens=$("$bin/leaky" consul env --tokens "$parts/consul/tokens")
  while read -r line; do export "${line?}"; done <<<"$tokens"
}

own_folder
mapfile -t before < <(running)
# Where all ran before, what was started to watch them stays too.
"$native/parts.sh" status "$parts" >/dev/null 2>&1 || trap stop_ours EXIT

step "the parts, under $parts"
# Ctrl-C does not reach what a script runs beside itself.
trap 'kill -TERM "$child" 2>/dev/null' INT
followed "$native/parts.sh" up "$parts"
trap - INT
set -a
# shellcheck source=/dev/null
. "$parts/parts.env"
set +a

step "what Consul holds: policies, tokens, who may call whom, first settings"
"$bin/leaky" consul bootstrap --registry "$PARTS_CONSUL" --token-file "$PARTS_CONSUL_TOKEN_FILE" \
  --folder "$root/consul" --out "$parts/consul/tokens"
settings

step "the stores' schemas"
"$bin/leaky" migrate

step "the system; Consul's UI: http://${PARTS_CONSUL#consul://}/ui, its token: $PARTS_CONSUL_TOKEN_FILE"
# Ctrl-C reaches leaky up, which heeds it all the same, and a second one means more to it.
trap : INT
followed "$bin/leaky" up --instances token=2 --instances gateway=2 "$@"
