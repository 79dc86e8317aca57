# The life of one part: its folder, its ports, its process. Read by the part's own script.
#
# The part's script says:
#   part        its name, and its folder's under DIR
#   ports       its ports and their defaults, as NAME=PORT; the first is the one it is known by
#   patience    seconds until it must answer; stop_signal, the signal that ends it in order
#   part_install     makes what it runs
#   part_configure   makes its folders and configuration under $home; may run on every start
#   part_command     sets `command`, and `mark`: one whole argument of it that no other process has
#   part_answers     true once it answers its own protocol
#   part_ready       optional: what is to be done once it answers (roles, databases); idempotent
#   part_url         prints the variables for parts.env
# shellcheck shell=bash disable=SC2154
set -euo pipefail
umask 022

say() { printf '%-11s %s\n' "$part" "$*"; }
fail() {
  printf '%-11s %s\n' "$part" "$*" >&2
  exit 1
}

# Configuration files and URLs are made of this path: one with odd characters would need quoting in six dialects.
open_folder() {
  [[ $1 =~ ^[A-Za-z0-9_./-]+$ ]] || fail "the folder '$1' has characters other than letters, digits, _ . / -"
  mkdir -p "$1"
  folder=$(cd "$1" && pwd -P)
  home=$folder/$part
}

# A port given in the environment wins over the one remembered, which wins over the default.
remember_given() {
  local entry name
  declare -gA given=()
  for entry in "${ports[@]}"; do
    name=${entry%%=*}
    given[$name]=${!name:-}
  done
}

load_ports() {
  local entry name value
  for entry in "${ports[@]}"; do
    name=${entry%%=*}
    value=${entry#*=}
    [[ ! -r $home/ports ]] || value=$(sed -n "s/^$name=//p" "$home/ports" | grep . || echo "$value")
    [[ $1 != given ]] || value=${given[$name]:-$value}
    printf -v "$name" %s "$value"
  done
  name=${ports[0]%%=*}
  port=${!name}
}

save_ports() {
  local entry name
  for entry in "${ports[@]}"; do
    name=${entry%%=*}
    [[ ${!name} =~ ^[1-9][0-9]{0,4}$ ]] || fail "$name=${!name} is no port"
    printf '%s=%s\n' "$name" "${!name}"
  done >"$home/ports.new"
  mv "$home/ports.new" "$home/ports"
}

taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Something else that listens there would answer in this part's place.
refuse_taken_ports() {
  local entry name deadline=$SECONDS
  # Not stopped in order: its last process may be dying still, and gives its ports back last.
  [[ ! -e $home/pid ]] || deadline=$((SECONDS + 10))
  for entry in "${ports[@]}"; do
    name=${entry%%=*}
    while taken "${!name}"; do
      ((SECONDS < deadline)) || fail "port ${!name} is taken by another process; give a free one as $name=..."
      sleep 0.1
    done
  done
}

# ask BYTES COUNT: sends them to the port, prints the first COUNT bytes of the answer in hexadecimal.
ask() {
  (
    exec 3<>"/dev/tcp/127.0.0.1/$port" && printf '%b' "$1" >&3 &&
      timeout 5 head -c "$2" <&3 | od -An -v -tx1 | tr -d ' \n'
  ) 2>/dev/null
}

# get PATH [HEADER]: the whole answer over HTTP. By bash's own sockets, as what a header holds is on no command line then.
get() {
  (
    exec 3<>"/dev/tcp/127.0.0.1/$port" &&
      printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\n%s\r\n' "$1" "${2:+$2$'\r\n'}" >&3 && timeout 5 cat <&3
  ) 2>/dev/null
}

# The pid file alone proves nothing: after a crash its number may belong to anybody.
is_ours() { [[ -n $1 && -r /proc/$1/cmdline ]] && grep -zqxF -- "$mark" "/proc/$1/cmdline" 2>/dev/null; }

running_pid() {
  local pid=
  [[ -r $home/pid ]] && pid=$(<"$home/pid")
  [[ $pid =~ ^[0-9]+$ ]] && is_ours "$pid" && printf %s "$pid"
}

# Who ends this script meanwhile is heeded once its pid is known: nothing else would ever find the process.
launch() {
  local ended=
  trap 'ended=yes' INT TERM
  # 9 is the lock: a process that inherits it would hold it for life.
  setsid "${command[@]}" </dev/null >>"$home/log" 2>&1 9>&- &
  # Not by way of mv, which the signal would end.
  printf '%s\n' $! >"$home/pid"
  trap - INT TERM
  [[ -z $ended ]] || exit 130
}

give_up() {
  printf '%-11s %s; the end of %s:\n' "$part" "$1" "$home/log" >&2
  tail -n 25 "$home/log" >&2
  end_process
  exit 1
}

wait_for_answer() {
  local deadline=$((SECONDS + patience)) begun=${EPOCHREALTIME/[.,]/}
  # Between fork and exec the command line is still the shell's: a death counts once it had a moment to start.
  until part_answers; do
    ((SECONDS < deadline)) || give_up "does not answer after $patience s"
    ((${EPOCHREALTIME/[.,]/} - begun < 500000)) || running_pid >/dev/null || give_up 'ended while starting'
    sleep 0.1
  done
  running_pid >/dev/null || give_up 'ended while starting'
  took=$(((${EPOCHREALTIME/[.,]/} - begun) / 100000))
}

# The state of a process and when it began, in that order.
life() {
  local fields
  fields=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  # The name in the second field may hold anything, also blanks and brackets.
  read -ra fields <<<"${fields##*) }"
  echo "${fields[0]} ${fields[19]}"
}

# Whether it lives, or dies but still has threads: with the last of them go its ports.
lingers() {
  local state began
  read -r state began < <(life "$1") || return 1
  [[ $began == "$2" ]] || return 1
  [[ $state != Z ]] || [[ $(find "/proc/$1/task" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l) -gt 1 ]]
}

# One that was killed stays in the table until its parent has asked after it, with no command line;
# until then PostgreSQL takes it for a server that still runs.
wait_for_last_death() {
  local old deadline=$((SECONDS + 10))
  [[ -r $home/pid ]] && old=$(<"$home/pid") || return 0
  while [[ -r /proc/$old/cmdline && -z $(tr -d '\0' <"/proc/$old/cmdline") ]] && ((SECONDS < deadline)); do
    sleep 0.05
  done 2>/dev/null
}

end_process() {
  local pid began deadline=$((SECONDS + 30))
  pid=$(running_pid) || return 0
  read -r _ began < <(life "$pid") || return 0
  kill -s "${stop_signal:-TERM}" "$pid" 2>/dev/null || true
  while lingers "$pid" "$began"; do
    if ((SECONDS >= deadline)) && is_ours "$pid"; then
      say "pid $pid does not end after 30 s: killing it"
      kill -s KILL "$pid" 2>/dev/null || true
      deadline=$((SECONDS + 30))
    fi
    sleep 0.05
  done
  rm -f "$home/pid"
}

start() {
  part_install
  mkdir -p "$home"
  exec 9>"$home/lock"
  flock 9
  load_ports remembered
  part_command
  if running_pid >/dev/null; then
    start_again
  else
    start_first
  fi
}

# Perhaps an earlier start was interrupted while this one waited for its log to be replayed.
start_again() {
  part_answers || say "pid $(running_pid) runs but does not answer on 127.0.0.1:$port yet"
  wait_for_answer
  ready
  say "is running already: pid $(running_pid), 127.0.0.1:$port"
}

start_first() {
  load_ports given
  save_ports
  wait_for_last_death
  refuse_taken_ports
  part_configure
  part_command
  say "starting on 127.0.0.1:$port"
  launch
  wait_for_answer
  ready
  say "answers on 127.0.0.1:$port after $((took / 10)).$((took % 10)) s, pid $(running_pid)"
}

ready() {
  if declare -F part_ready >/dev/null; then part_ready; fi
}

# Sets `pid`; false when nothing of ours runs in this folder.
find_running() {
  [[ -d $home ]] || return 1
  load_ports remembered
  part_command
  pid=$(running_pid)
}

stop() {
  local pid
  # First: a start that was ended may still be about to write down its pid.
  if [[ -d $home ]]; then
    exec 9>"$home/lock"
    flock 9
  fi
  if ! find_running; then
    rm -f "$home/pid"
    say 'is not running'
    return
  fi
  end_process
  say "stopped, pid $pid"
}

# 0 it answers, 1 it runs and does not answer, 3 it does not run (as the Linux Standard Base has it).
status() {
  local pid
  if ! find_running; then
    say 'down'
    return 3
  elif ! part_answers; then
    say "pid $pid runs but does not answer on 127.0.0.1:$port; see $home/log"
    return 1
  fi
  say "up: pid $pid, 127.0.0.1:$port"
}

run() {
  if [[ ${1:-} == install && $# == 1 ]]; then
    part_install
    return
  fi
  [[ ${1:-} =~ ^(start|stop|status|url)$ && $# == 2 ]] || {
    echo "usage: $0 install | start DIR | stop DIR | status DIR | url DIR" >&2
    exit 2
  }
  open_folder "$2"
  remember_given
  case $1 in
    url) load_ports remembered && part_url ;;
    *) "$1" ;;
  esac
}
