#!/usr/bin/env bash
# Alertmanager on loopback: install | start DIR | stop DIR | status DIR | url DIR. Port: ALERTMANAGER_PORT.
# Data, log and configuration are under DIR/alertmanager. The configuration is that of compose/alertmanager/; with
# ALERTMANAGER_WEBHOOK=URL each of its receivers sends what it gets to URL/NAME, in Alertmanager's own JSON.
# ALERTMANAGER_GROUP_WAIT is how long the first of a group waits for others, and these after it; unless given, as in that file.
# shellcheck disable=SC2034
part=alertmanager
# Not 9093, which is what Kafka's controller listens on.
ports=(ALERTMANAGER_PORT=9193)
patience=30
here=$(cd "$(dirname "$0")" && pwd -P)
# shellcheck source-path=SCRIPTDIR source=shared/lifecycle.sh
. "$here/shared/lifecycle.sh"
# shellcheck source-path=SCRIPTDIR source=shared/install.sh
. "$here/shared/install.sh"
source=$(dirname "$here")/alertmanager/alertmanager.yml

part_install() {
  if ! command -v prometheus-alertmanager amtool >/dev/null; then install_packages prometheus-alertmanager; fi
}

part_configure() {
  mkdir -p "$home/data"
  chmod 700 "$home"
  (umask 077 && configuration >"$home/alertmanager.yml")
  amtool check-config "$home/alertmanager.yml" >>"$home/log" 2>&1 || give_up 'its configuration is refused'
}

configuration() {
  local changes=()
  [[ -z ${ALERTMANAGER_WEBHOOK:-} ]] ||
    changes+=(-e "s|^  - name: \(.*\)|&\n    webhook_configs: [{url: \"$ALERTMANAGER_WEBHOOK/\1\"}]|")
  [[ -z ${ALERTMANAGER_GROUP_WAIT:-} ]] || changes+=(-e "s/group_\(wait\|interval\): .*/group_\1: $ALERTMANAGER_GROUP_WAIT/")
  sed -e '' "${changes[@]}" "$source"
}

# One of them has nobody to gossip with.
part_command() {
  mark=--config.file=$home/alertmanager.yml
  command=(prometheus-alertmanager "$mark" "--storage.path=$home/data" --cluster.listen-address=
    "--web.listen-address=127.0.0.1:$port")
}

part_answers() { [[ $(get /-/ready) == HTTP/1.?\ 200* ]]; }

part_url() { echo "PARTS_ALERTMANAGER=http://127.0.0.1:$port"; }

run "$@"
