#!/usr/bin/env bash
# All that services need, or those named: up DIR [PART...] | down DIR [PART...] | status DIR [PART...] | install [PART...]
# `up` writes DIR/parts.env (0600): the URL of every part that answers, anew as each comes up.
# What watches the services comes up where it is named; down, with no name, ends it too.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd -P)
every=(postgresql redis kafka cassandra consul)
watching=(jaeger targets alertmanager prometheus)

usage() {
  echo "usage: $0 up|down|status DIR [PART...] | install [PART...]; parts: ${every[*]}; ${watching[*]}" >&2
  exit 2
}

known() {
  local name
  for name in "$@"; do
    [[ " ${every[*]} ${watching[*]} " == *" $name "* ]] || usage
  done
}

# Only what answers is listed: a URL of something that is not there would make tests fail instead of skip.
write_env() {
  local name
  (
    flock 9
    umask 077
    for name in "${every[@]}" "${watching[@]}"; do
      if [[ -d $folder/$name ]] && "$here/$name.sh" status "$folder" >/dev/null 2>&1; then
        "$here/$name.sh" url "$folder"
      fi
    done >"$folder/parts.env.new"
    mv "$folder/parts.env.new" "$folder/parts.env"
  ) 9>"$folder/parts.lock"
}

# each VERB PART...: at once, each in its own process; false when one failed, after all have ended.
# In groups of their own, for who ends this means all that they run, such as a build.
each() {
  local verb=$1 name pids=() failed=0
  trap 'kill -- "${pids[@]/#/-}" 2>/dev/null; wait; exit 130' INT TERM
  set -m
  for name in "${@:2}"; do
    "$verb" "$name" </dev/null &
    pids+=($!)
  done
  set +m
  for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
  return "$failed"
}

install_one() { "$here/$1.sh" install; }
stop_one() { "$here/$1.sh" stop "$folder"; }
start_one() { "$here/$1.sh" start "$folder" && write_env; }

show() {
  local name down=0
  for name in "$@"; do "$here/$name.sh" status "$folder" || down=1; done
  return "$down"
}

verb=${1:-}
[[ $verb =~ ^(up|down|status|install)$ ]] || usage
shift
if [[ $verb != install ]]; then
  [[ $# -ge 1 ]] || usage
  mkdir -p "$1"
  folder=$(cd "$1" && pwd -P)
  shift
fi
known "$@"
[[ $# -gt 0 ]] || {
  set -- "${every[@]}"
  [[ $verb != down ]] || for name in "${watching[@]}"; do
    [[ ! -d $folder/$name ]] || set -- "$@" "$name"
  done
}

case $verb in
  install) each install_one "$@" ;;
  status) show "$@" ;;
  up)
    each start_one "$@" || {
      echo "parts: not all came up (see above); those that did are in $folder/parts.env" >&2
      exit 1
    }
    echo "parts: all up in $SECONDS s; set -a; . $folder/parts.env"
    ;;
  down)
    each stop_one "$@"
    write_env
    ;;
esac
