#!/usr/bin/env bash
# Jaeger (traces kept in memory, no UI) on loopback: install | start DIR | stop DIR | status DIR | url DIR.
# Ports: JAEGER_QUERY_PORT, JAEGER_OTLP_PORT, JAEGER_OTLP_HTTP_PORT, JAEGER_QUERY_GRPC_PORT. Its log is under DIR/jaeger.
# Built from Jaeger's own packages, without the storages that nothing here uses.
# shellcheck disable=SC2034
part=jaeger
ports=(JAEGER_QUERY_PORT=16686 JAEGER_OTLP_PORT=4317 JAEGER_OTLP_HTTP_PORT=4318 JAEGER_QUERY_GRPC_PORT=16685)
patience=30
here=$(cd "$(dirname "$0")" && pwd -P)
# shellcheck source-path=SCRIPTDIR source=shared/lifecycle.sh
. "$here/shared/lifecycle.sh"
# shellcheck source-path=SCRIPTDIR source=shared/install.sh
. "$here/shared/install.sh"

part_install() {
  build_once "jaeger-$(sed -n 's/^require .* v//p' "$here/jaeger/go.mod")" "$here/jaeger/main.go" compile
}

# The checksum database vouches for every module, so no go.sum is kept here.
compile() {
  need_go
  mkdir "$1/module"
  cp "$here/jaeger/go.mod" "$here/jaeger/main.go" "$1/module"
  (cd "$1/module" && GOFLAGS=-mod=mod go build -o "$1/jaeger" .)
  rm -r "$1/module"
}

part_configure() { :; }

part_command() {
  mark=-home=$home
  command=("${built:-}/jaeger" "$mark" "-otlp-grpc=127.0.0.1:$JAEGER_OTLP_PORT"
    "-otlp-http=127.0.0.1:$JAEGER_OTLP_HTTP_PORT" "-query-http=127.0.0.1:$port"
    "-query-grpc=127.0.0.1:$JAEGER_QUERY_GRPC_PORT")
}

part_answers() {
  [[ $(get /api/services) == HTTP/1.?\ 200* ]] && taken "$JAEGER_OTLP_PORT"
}

part_url() {
  echo "PARTS_JAEGER=http://127.0.0.1:$port"
  echo "PARTS_JAEGER_OTLP=http://127.0.0.1:$JAEGER_OTLP_PORT"
}

run "$@"
