#!/usr/bin/env bash
# Debian's docker-compose, which checks the compose files: install. It needs no Docker engine for that.
# shellcheck disable=SC2034
part=docker-compose
here=$(cd "$(dirname "$0")" && pwd -P)
# shellcheck source-path=SCRIPTDIR source=shared/lifecycle.sh
. "$here/shared/lifecycle.sh"
# shellcheck source-path=SCRIPTDIR source=shared/install.sh
. "$here/shared/install.sh"
command -v docker-compose >/dev/null || install_packages docker-compose
