#!/bin/sh
# Installs the Chromium that the browser tests drive, from Debian's packages, where that is possible: its headless
# shell, which is the same browser without windows and takes two thirds of the time. A whole Chromium will do.
# Where there is neither, it says what to do: a reason to fail in CI, but not on somebody's own machine.
set -u

install_package() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 &&
        apt-get update -qq &&
        DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends chromium-headless-shell >/dev/null
}

there() {
    for name in chromium-headless-shell chromium chromium-browser google-chrome; do
        command -v "$name" >/dev/null 2>&1 && return
    done
    return 1
}

command -v chromium-headless-shell >/dev/null 2>&1 || install_package || there || {
    echo "The browser tests need Chromium; install the package chromium-headless-shell (or chromium) and run this again." >&2
    [ -z "${CI:-}" ]
}
