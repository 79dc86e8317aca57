#!/usr/bin/env bash
# Restores what backup-redis.sh wrote to INPUT into the empty data folder of a Redis that is stopped.
#
#   compose/native/redis.sh stop DIR
#   mv DIR/redis/data DIR/redis/data.before
#   scripts/restore-redis.sh INPUT DIR/redis/data
#   compose/native/redis.sh start DIR
#
# A data folder that holds anything is refused. The server keeps an append-only file
# (appendonly yes), and with one it does not look at a dump.rdb: the snapshot is therefore laid
# down as the base of that file, which is the same format.

# shellcheck source-path=SCRIPTDIR source=backing-up.sh
. "$(dirname "$0")/backing-up.sh"

[[ $# -eq 2 && $1 != -* ]] || usage
dump=$1/dump.rdb data=$2
[[ -r $dump ]] || fail "there is no $dump"
redis-check-rdb "$dump" >/dev/null || fail "$dump is damaged"
mkdir -p "$data"
[[ -z $(ls -A "$data") ]] || fail "$data is not empty; nothing was restored"

made=$data/appendonlydir.new
mkdir "$made"
cp "$dump" "$made/appendonly.aof.1.base.rdb"
echo 'file appendonly.aof.1.base.rdb seq 1 type b' >"$made/appendonly.aof.manifest"
chown -R --reference="$data" "$made"
mv "$made" "$data/appendonlydir"
echo "$name: $data; start the server now"
