#!/usr/bin/env bash
# Prometheus on loopback: install | start DIR | stop DIR | status DIR | url DIR. Port: PROMETHEUS_PORT.
# Data, log and configuration are under DIR/prometheus. The configuration is that of compose/prometheus/, with this
# machine's addresses. Where things are, `start` reads from its environment:
#   LEAKY_ACTUATOR_TOKEN   what opens /metrics, where services listen beyond loopback
#   TARGETS_PORT           where targets.sh tells whom to ask; unless given, where the one in DIR listens, else 9190
#   ALERTMANAGER_PORT      where alerts go; unless given, where the one in DIR listens, else 9193
#   PROMETHEUS_RULES       the alert rules; unless given, compose/prometheus/rules.yml
#   PROMETHEUS_INTERVAL    how often all is asked and looked at; unless given, 10s
# shellcheck disable=SC2034
part=prometheus
ports=(PROMETHEUS_PORT=9090)
patience=60
here=$(cd "$(dirname "$0")" && pwd -P)
# shellcheck source-path=SCRIPTDIR source=shared/lifecycle.sh
. "$here/shared/lifecycle.sh"
# shellcheck source-path=SCRIPTDIR source=shared/install.sh
. "$here/shared/install.sh"
source=$(dirname "$here")/prometheus

part_install() {
  if ! command -v prometheus promtool >/dev/null; then install_packages prometheus; fi
}

part_configure() {
  mkdir -p "$home/data"
  chmod 700 "$home"
  cp "${PROMETHEUS_RULES:-$source/rules.yml}" "$home/rules.yml"
  if [[ -n ${LEAKY_ACTUATOR_TOKEN:-} ]]; then
    (umask 077 && printf %s "$LEAKY_ACTUATOR_TOKEN" >"$home/actuator")
  fi
  configuration >"$home/prometheus.yml"
  promtool check config "$home/prometheus.yml" >>"$home/log" 2>&1 || give_up 'its configuration is refused'
}

configuration() {
  local changes=(
    -e "s|targets:9190|127.0.0.1:$(port_of targets TARGETS_PORT 9190)|"
    -e "s|alertmanager:9093|127.0.0.1:$(port_of alertmanager ALERTMANAGER_PORT 9193)|"
    -e "s|_interval: 10s$|_interval: ${PROMETHEUS_INTERVAL:-10s}|"
    -e "s|/run/secrets/actuator|$home/actuator|"
  )
  # On loopback nobody asks for it.
  [[ -e $home/actuator ]] || changes+=(-e '\|/actuator}$|d')
  sed "${changes[@]}" "$source/prometheus.yml"
}

# port_of PART NAME DEFAULT: given, remembered by the part of this DIR, or its default.
port_of() {
  local remembered
  remembered=$(sed -n "s/^$2=//p" "$folder/$1/ports" 2>/dev/null || true)
  echo "${!2:-${remembered:-$3}}"
}

part_command() {
  mark=--config.file=$home/prometheus.yml
  command=(prometheus "$mark" "--storage.tsdb.path=$home/data" --storage.tsdb.retention.time=15d
    "--web.listen-address=127.0.0.1:$port")
}

part_answers() { [[ $(get /-/ready) == HTTP/1.?\ 200* ]]; }

part_url() { echo "PARTS_PROMETHEUS=http://127.0.0.1:$port"; }

run "$@"
