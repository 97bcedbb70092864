#!/bin/sh
# Installs the PostgreSQL that the tests of the accounts start, and the nginx that stands before replicas, from Debian's
# packages, where that is possible.
# Where it is not, it says what to do: a reason to fail in CI, but not on somebody's own machine.
set -u

install_package() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 &&
        apt-get update -qq &&
        DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends postgresql nginx >/dev/null
}

if ! install_package; then
    echo "The tests of the accounts and of replicas need PostgreSQL and nginx; install the packages postgresql and nginx and run this again." >&2
    [ -z "${CI:-}" ]
fi
