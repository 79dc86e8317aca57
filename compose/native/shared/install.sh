# Where a part's programs come from: Debian packages, Maven, Go modules. Read by the part's own script.
# shellcheck shell=bash disable=SC2154,SC2034
cache=${LEAKY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/leaky-tokens}
# So often a build says that it goes on.
still_seconds=30

as_root() {
  if ((EUID == 0)); then
    "$@"
  elif sudo -n true 2>/dev/null; then
    sudo -n "$@"
  else
    fail "installing Debian packages needs root: run 'sudo $*' once, then this again"
  fi
}

# Debian's scripts start a package's service unless this file forbids it; ours runs on its own ports and folder.
without_services() (
  policy=/usr/sbin/policy-rc.d
  if [[ ! -e $policy ]]; then
    trap 'as_root rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
  fi
  "$@"
)

apt_get() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@"; }

# One at a time over all parts: they share the service policy, and apt's lock.
install_packages() {
  command -v apt-get >/dev/null || fail "needs $*, and there is no apt-get to install it with: install it by hand"
  say "installing $* (Debian)"
  mkdir -p "$cache"
  local begun=$SECONDS
  {
    flock 8
    { apt_get update && without_services apt_get install -y --no-install-recommends "$@"; } >"$cache/apt.log" 2>&1 ||
      fail "apt-get could not install $*: $(tail -n 5 "$cache/apt.log")"
  } 8>"$cache/apt.lock"
  say "installed $* in $((SECONDS - begun)) s"
}

# What is built is named by its version and its recipe, and appears whole or not at all.
# build_once NAME-VERSION RECIPE COMMAND...: sets `built`; COMMAND gets a folder to fill as its last argument.
build_once() {
  local sum begun=$SECONDS making
  sum=$(sha256sum <"$2")
  built=$cache/$1-${sum:0:8}
  [[ ! -d $built ]] || return 0
  mkdir -p "$cache"
  {
    flock -n 8 || { say "is being built by another process, $1: waiting for it" && flock 8; }
    [[ ! -d $built ]] || return 0
    rm -rf "$cache/.making-$1-"*
    making=$(mktemp -d "$cache/.making-$1-XXXXXX")
    make_apart "$1" "${@:3}" "$making"
    chmod 755 "$making"
    mv -T "$making" "$built"
  } 8>"$cache/$1.lock"
  say "built $1 in $((SECONDS - begun)) s"
}

# In a process of its own: there each line of a recipe that fails ends it, and what it says is in its log.
make_apart() {
  local name=$1 log=$cache/$1.log begun=$SECONDS told=$SECONDS maker
  say "building $name, which may take minutes, once; its log is $log"
  trap 'kill -- "-$maker" 2>/dev/null; exit 130' INT TERM
  set -m
  "${@:2}" </dev/null >"$log" 2>&1 &
  maker=$!
  set +m
  while kill -0 "$maker" 2>/dev/null; do
    sleep 0.1
    ((SECONDS < told + still_seconds)) || { told=$SECONDS && say "still building $name, $((SECONDS - begun)) s"; }
  done
  wait "$maker" || fail "building $name failed: $(tail -n 15 "$log")"
  trap - INT TERM
}

# The first dependency's version: what the recipe is for.
pom_version() { sed -n '/<dependency>/,$s/.*<version>\(.*\)<.*/\1/p' "$1" | sed 1q; }

# Maven's local repository is not made for two writers at once.
maven_jars() {
  command -v mvn >/dev/null || install_packages maven
  {
    flock 7
    mvn -B -ntp --strict-checksums -f "$1" dependency:copy-dependencies \
      -DincludeScope=runtime "-DoutputDirectory=$2/libs"
  } 7>"$cache/maven.lock"
}

java_version() { "$1" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p'; }

# need_java NEWEST: sets `java` to one of version 17 to NEWEST.
need_java() {
  local found version
  for found in "${JAVA_HOME:-/none}/bin/java" "$(command -v java)" /usr/lib/jvm/*17*/bin/java installed; do
    if [[ $found == installed ]]; then
      install_packages openjdk-17-jre-headless
      found=$(echo /usr/lib/jvm/java-17-openjdk-*/bin/java)
    fi
    [[ -x $found ]] || continue
    version=$(java_version "$found")
    if ((version >= 17 && version <= $1)); then
      java=$found
      return
    fi
  done
  fail "needs a Java of version 17 to $1"
}

go_minor() { go env GOVERSION 2>/dev/null | sed -n 's/^go1\.\([0-9]*\).*/\1/p'; }

# Older than 1.22 cannot fetch the toolchain that a go.mod asks for; Debian 12's own is 1.19.
need_go() {
  local minor
  minor=$(go_minor)
  if [[ -z $minor ]] && (($(apt-cache policy golang-go 2>/dev/null |
    sed -n 's/.*Candidate: 2:1\.\([0-9]*\).*/\1/p') + 0 >= 22)); then
    install_packages golang-go
    minor=$(go_minor)
  fi
  ((${minor:-0} >= 22)) ||
    fail "needs Go 1.22 or newer on PATH (found: ${minor:+1.}${minor:-none}); see https://go.dev/doc/install"
  [[ $(go env GOSUMDB) != off ]] || fail 'Go verifies no checksums here (GOSUMDB=off): refusing to build'
}

# secret FILE: makes it once, 48 hexadecimal digits, readable by its owner alone.
secret() {
  [[ ! -s $1 ]] || return 0
  (umask 077 && od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"$1.new")
  mv "$1.new" "$1"
}
