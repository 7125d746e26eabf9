#!/bin/sh
# What the system tests need from the distribution: installed where that is possible, else named.
set -eu
missing=""
command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 || missing="$missing chromium"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ]; then as_root=""; elif sudo -n true 2>/dev/null; then as_root="sudo"; else
    echo "The tests need these packages; install them and run make test again:  apt-get install$missing" >&2
    exit 2
fi
command -v apt-get >/dev/null 2>&1 || { echo "The tests need:$missing; install it with your package manager." >&2; exit 2; }
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get -qq update
# shellcheck disable=SC2086  # several names, and perhaps no sudo
$as_root apt-get -qq install --yes --no-install-recommends $missing >/dev/null
