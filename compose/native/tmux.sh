#!/usr/bin/env bash
# Debian's tmux, a terminal in which a test looks at `leaky top`: install.
# shellcheck disable=SC2034
part=tmux
here=$(cd "$(dirname "$0")" && pwd -P)
# shellcheck source-path=SCRIPTDIR source=shared/lifecycle.sh
. "$here/shared/lifecycle.sh"
# shellcheck source-path=SCRIPTDIR source=shared/install.sh
. "$here/shared/install.sh"
command -v tmux >/dev/null || install_packages tmux
