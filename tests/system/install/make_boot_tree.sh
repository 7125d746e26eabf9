#!/bin/sh
# A machine to boot in a container: a root of its own around this machine's /usr, made in a second.
#
#   make_boot_tree.sh TREE PYTHON     TREE is new or empty; PYTHON is that of the checkout's virtual environment
#
# TREE gets its own /etc and /var, Auricle laid down as `auricle install` does, and a sound card with a quiet noise.
# Whoever boots it mounts, read-only: /usr on /usr, PYTHON's base prefix on /opt/python, its packages on /opt/packages.
# Must be run as root: systemd trusts no folder in the way to its own that is another's.
set -eu
tree=$1
python=$2
checkout=$(cd "$(dirname "$0")/../../.." && pwd)

for name in bin sbin lib lib32 lib64 libx32; do
    if [ -L "/$name" ]; then cp -P "/$name" "$tree/$name"
    elif [ -d "/$name" ]; then echo "/$name is a folder of its own: only a machine with one merged /usr can be borrowed" >&2; exit 3
    fi
done
for name in dev etc opt/packages opt/python proc root run sys tmp usr var; do mkdir -p "$tree/$name"; done
chmod 755 "$tree"
chmod 1777 "$tree/tmp"

# A machine that has booted before: on a first boot systemd would enable whatever this machine's /usr holds.
tr -d - </proc/sys/kernel/random/uuid >"$tree/etc/machine-id"
cp /usr/lib/os-release "$tree/etc/os-release" # no link into /usr, which is not there yet
echo "passwd: files systemd
group: files systemd" >"$tree/etc/nsswitch.conf"
cp /etc/ld.so.cache "$tree/etc/" # where libraries are found, PortAudio among them
mkdir -p "$tree/etc/systemd/system.conf.d"
echo "[Manager]
DefaultEnvironment=LD_LIBRARY_PATH=/opt/python/lib" >"$tree/etc/systemd/system.conf.d/python.conf"

# Auricle: the program of this checkout, the packages and the Python of its virtual environment.
current=$tree/opt/auricle/current
minor=$("$python" -c 'import sys; print(f"python{sys.version_info.major}.{sys.version_info.minor}")')
base=$("$python" -c 'import sys; print("/opt/python" if sys.base_prefix != "/usr" else "/usr")')
mkdir -p "$current/bin" "$current/lib/$minor/site-packages"
ln -s "$base/bin/$minor" "$current/bin/python"
echo "home = $base/bin" >"$current/pyvenv.cfg"
cp -r "$checkout/device" "$current/lib/$minor/site-packages/"
echo /opt/packages >"$current/lib/$minor/site-packages/packages.pth"
cat >"$current/bin/auricle" <<'PROGRAM'
#!/opt/auricle/current/bin/python
import sys
from device.__main__ import main
sys.exit(main())
PROGRAM
chmod 755 "$current/bin/auricle"
mkdir -p "$tree/etc/auricle" "$tree/etc/systemd/system" "$tree/etc/sysusers.d" "$tree/etc/tmpfiles.d"
cp "$checkout/systemd/auricle@.service" "$checkout/systemd/auricle-web@.service" "$checkout/systemd/auricle-ward@.service" \
    "$tree/etc/systemd/system/"
cp "$checkout/systemd/sysusers.d/auricle.conf" "$tree/etc/sysusers.d/"
cp "$checkout/systemd/tmpfiles.d/auricle.conf" "$tree/etc/tmpfiles.d/"
chmod -R a+rX "$tree/opt"

# A sound card that a quiet noise is played into, as PulseAudio's null sink; its monitor is the microphone.
cat >"$tree/etc/systemd/system/soundcard.service" <<'UNIT'
[Service]
User=nobody
RuntimeDirectory=soundcard
Environment=HOME=/run/soundcard XDG_RUNTIME_DIR=/run/soundcard
ExecStart=/usr/bin/pulseaudio -n --daemonize=no --exit-idle-time=-1 --use-pid-file=no --realtime=no \
    --high-priority=no --disable-shm=yes --log-target=stderr \
    -L "module-native-protocol-unix auth-anonymous=1 socket=/run/soundcard/native" \
    -L "module-null-sink sink_name=room rate=16000 channels=1 format=s16le norewinds=1"
UNIT
cat >"$tree/etc/systemd/system/noise.service" <<'UNIT'
[Unit]
After=soundcard.service
[Service]
User=nobody
Environment=HOME=/run/soundcard PULSE_SERVER=unix:/run/soundcard/native
ExecStart=/usr/bin/pacat --device=room --rate=16000 --channels=1 --format=s16le --volume=6000 /dev/urandom
Restart=always
RestartSec=100ms
StartLimitIntervalSec=0
UNIT
cat >"$tree/etc/asound.conf" <<'CONF'
pcm.!default { type pulse server "unix:/run/soundcard/native" device "room.monitor" fallback "" }
ctl.!default { type pulse server "unix:/run/soundcard/native" fallback "" }
CONF
mkdir "$tree/etc/systemd/system/multi-user.target.wants"
ln -s ../soundcard.service ../noise.service "$tree/etc/systemd/system/multi-user.target.wants/"
