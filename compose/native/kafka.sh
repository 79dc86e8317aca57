#!/usr/bin/env bash
# Kafka (one KRaft node) on loopback: install | start DIR | stop DIR | status DIR | url DIR | tool CLASS ARGUMENT...
# Ports: KAFKA_PORT, KAFKA_CONTROLLER_PORT. Data, configuration and log are under DIR/kafka.
# shellcheck disable=SC2034
part=kafka
ports=(KAFKA_PORT=9092 KAFKA_CONTROLLER_PORT=9093)
patience=180
here=$(cd "$(dirname "$0")" && pwd -P)
# shellcheck source-path=SCRIPTDIR source=shared/lifecycle.sh
. "$here/shared/lifecycle.sh"
# shellcheck source-path=SCRIPTDIR source=shared/install.sh
. "$here/shared/install.sh"

part_install() {
  need_java 25
  local pom=$here/kafka/pom.xml
  build_once "kafka-$(pom_version "$pom")" "$pom" maven_jars "$pom"
}

part_configure() {
  mkdir -p "$home"
  configuration >"$home/server.properties"
  [[ -r $home/data/meta.properties ]] || format
}

configuration() {
  cat <<CONF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$KAFKA_CONTROLLER_PORT
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$KAFKA_CONTROLLER_PORT
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
log.dirs=$home/data
# One broker: whatever would be replicated is there once.
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
# A misspelt topic is an error, not a new topic with one partition.
auto.create.topics.enable=false
num.partitions=6
CONF
}

# 22 characters of base64url: sixteen random bytes.
format() {
  local id
  id=$(head -c 16 /dev/urandom | base64 | tr '+/' 'Aa' | cut -c -22)
  rm -rf "$home/data"
  say 'formatting its log folder'
  "$java" -cp "$built/libs/*" kafka.tools.StorageTool format -t "$id" -c "$home/server.properties" \
    >>"$home/log" 2>&1 || give_up 'could not format its log folder'
}

part_command() {
  mark=$home/server.properties
  command=("${java:-java}" -Xmx512m -XX:+ExitOnOutOfMemoryError
    "-Dlog4j2.configurationFile=$here/kafka/log4j2.properties" -cp "${built:-}/libs/*" kafka.Kafka "$mark")
}

# A Metadata request (version 1, no topics): the answer's third word is the number of brokers alive.
part_answers() {
  local brokers
  brokers=$(ask '\0\0\0\x0e\0\x03\0\x01\0\0\0\x07\xff\xff\0\0\0\0' 12) || return 1
  [[ $brokers =~ 00000007(0000000[1-9])$ ]]
}

part_url() { echo "PARTS_KAFKA=kafka://127.0.0.1:$port"; }

# One of Kafka's own command line programs, by its class.
tool() {
  part_install >&2
  exec "$java" -Xmx256m "-Dlog4j2.configurationFile=$here/kafka/log4j2.properties" -Dlevel=ERROR \
    -cp "$built/libs/*" "$@"
}

if [[ ${1:-} == tool && $# -ge 2 ]]; then
  tool "${@:2}"
else
  run "$@"
fi
