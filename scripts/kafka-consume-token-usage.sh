#!/usr/bin/env bash
# Prints token-usage events from the broker, one JSON object a line.
#
#   scripts/kafka-consume-token-usage.sh [--broker HOST:PORT] [--topic NAME] [--from-beginning]
#                                        [--max-messages COUNT] [--timeout-seconds SECONDS]
#
# --broker           127.0.0.1:9092 unless given
# --topic            token-usage unless given
# --from-beginning   all that the broker keeps, else only what comes from now on
# --max-messages     ends after so many; endless unless given
# --timeout-seconds  ends when nothing has come for so long; never unless given
#
# It reads in a group of its own name and commits nothing, so nobody else misses an event by it.
# console consumer does the work; compose/native/kafka.sh installs it when it is missing.
set -euo pipefail

usage() {
  sed -n '2,/^$/s/^#\( \|$\)//p' "$0" >&2
  exit 2
}

broker=127.0.0.1:9092 topic=token-usage options=()
while [[ $# -gt 0 ]]; do
  [[ $1 == --from-beginning || $# -ge 2 ]] || usage
  case $1 in
    --broker) broker=$2 ;;
    --topic) topic=$2 ;;
    --max-messages) options+=(--max-messages "$2") ;;
    --timeout-seconds) options+=(--timeout-ms "$(($2 * 1000))") ;;
    --from-beginning) options+=("$1") ;;
    *) usage ;;
  esac
  [[ $1 == --from-beginning ]] || shift
  shift
done

exec "$(dirname "$0")/../compose/native/kafka.sh" tool org.apache.kafka.tools.consumer.ConsoleConsumer \
  --bootstrap-server "$broker" --topic "$topic" "${options[@]}"
