#!/usr/bin/env bash
# Cassandra (one node) on loopback: install | start DIR | stop DIR | status DIR | url DIR | nodetool DIR ARGUMENT...
# Ports: CASSANDRA_PORT, CASSANDRA_STORAGE_PORT, CASSANDRA_JMX_PORT. All it keeps is under DIR/cassandra.
# shellcheck disable=SC2034
part=cassandra
ports=(CASSANDRA_PORT=9042 CASSANDRA_STORAGE_PORT=7000 CASSANDRA_JMX_PORT=7199)
patience=300
here=$(cd "$(dirname "$0")" && pwd -P)
# shellcheck source-path=SCRIPTDIR source=shared/lifecycle.sh
. "$here/shared/lifecycle.sh"
# shellcheck source-path=SCRIPTDIR source=shared/install.sh
. "$here/shared/install.sh"

# It runs on no Java newer than 17: it needs the security manager.
part_install() {
  need_java 17
  local pom=$here/cassandra/pom.xml
  build_once "cassandra-$(pom_version "$pom")" "$pom" maven_jars "$pom"
}

part_configure() {
  mkdir -p "$home/data"
  configuration >"$home/cassandra.yaml"
}

configuration() {
  cat <<CONF
cluster_name: leaky
num_tokens: 16
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
endpoint_snitch: SimpleSnitch
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters:
      - seeds: "127.0.0.1:$CASSANDRA_STORAGE_PORT"
listen_address: 127.0.0.1
rpc_address: 127.0.0.1
storage_port: $CASSANDRA_STORAGE_PORT
start_native_transport: true
native_transport_port: $port
data_file_directories: [$home/data/data]
commitlog_directory: $home/data/commitlog
saved_caches_directory: $home/data/saved_caches
hints_directory: $home/data/hints
cdc_raw_directory: $home/data/cdc_raw
# A second of writes at most is lost when the machine dies, none when only the process does.
commitlog_sync: periodic
commitlog_sync_period: 1s
# Where the disk is slow to sync, writes go on for so long (1.5 s unless said).
periodic_commitlog_sync_lag_block: 10s
write_request_timeout: 5s
# Half a node is worse than none: it ends, and the next start says why.
disk_failure_policy: die
commit_failure_policy: die
# Every test drops its keyspace; a snapshot of each would stay for ever.
auto_snapshot: false
CONF
}

part_command() {
  mark=-Dcassandra.config=file://$home/cassandra.yaml
  command=("${java:-java}" "-javaagent:$(echo "${built:-}"/libs/jamm-*.jar)"
    -Xms512m -Xmx512m -XX:+ExitOnOutOfMemoryError
    "@$here/cassandra/jvm17.options" "-Dlogback.configurationFile=file://$here/cassandra/logback.xml"
    "$mark" "-Dcassandra.storagedir=$home/data" "-Dcassandra.jmx.local.port=$CASSANDRA_JMX_PORT"
    -Dcassandra-foreground=yes -Dcassandra.skip_wait_for_gossip_to_settle=0 -Dcassandra.ring_delay_ms=0
    -cp "${built:-}/libs/*" org.apache.cassandra.service.CassandraDaemon)
}

# CQL's OPTIONS frame (protocol 4); the answer is SUPPORTED, opcode 06.
part_answers() { [[ $(ask '\x04\0\0\0\x05\0\0\0\0' 5) == 8400000006 ]]; }

part_url() { echo "PARTS_CASSANDRA=cassandra://127.0.0.1:$port"; }

nodetool() {
  open_folder "$1"
  remember_given
  load_ports remembered
  part_install
  "$java" -cp "$built/libs/*" "@$here/cassandra/jvm17.options" "-Duser.home=$home" -Dlevel=ERROR \
    "-Dlogback.configurationFile=file://$here/cassandra/logback.xml" \
    org.apache.cassandra.tools.NodeTool -h 127.0.0.1 -p "$CASSANDRA_JMX_PORT" "${@:2}"
}

if [[ ${1:-} == nodetool && $# -ge 3 ]]; then
  nodetool "${@:2}"
else
  run "$@"
fi
