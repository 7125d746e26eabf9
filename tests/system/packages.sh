#!/bin/sh
# What the system tests need from the distribution: installed where that is possible, else named.
set -eu
PATH="$PATH:/usr/sbin:/sbin"
missing=""
need() { # PROGRAM PACKAGE
    command -v "$1" >/dev/null 2>&1 || case " $missing " in *" $2 "*) ;; *) missing="$missing $2" ;; esac
}
need chromium chromium
need pulseaudio pulseaudio
need paplay pulseaudio-utils
need pactl pulseaudio-utils
need jackd jackd2
need gcc gcc
[ -e /usr/include/stdio.h ] || missing="$missing libc6-dev"
need mosquitto mosquitto
need mosquitto_sub mosquitto-clients
need openssl openssl
need mosquitto_passwd mosquitto
need strace strace
need unzip unzip
need flac flac
need opusenc opus-tools
need sox sox
need nft nftables
need ip iproute2
need systemd-analyze systemd
need systemd-sysusers systemd
need systemd-tmpfiles systemd
need systemd-nspawn systemd-container
need systemd-socket-activate systemd
need prometheus prometheus
need promtool prometheus
need node nodejs
need nginx nginx-light
/sbin/ldconfig -p | grep -q libportaudio.so.2 || missing="$missing libportaudio2"
set -- /usr/lib/*/alsa-lib/libasound_module_pcm_pulse.so
[ -e "$1" ] || missing="$missing libasound2-plugins"
set -- /usr/lib/*/girepository-1.0/GstRtspServer-1.0.typelib # for Debian's own Python
[ -e "$1" ] || missing="$missing gir1.2-gst-rtsp-server-1.0"
[ -e /usr/lib/python3/dist-packages/gi ] || missing="$missing python3-gi"
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
