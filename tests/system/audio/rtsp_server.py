"""GStreamer's RTSP server, as Debian packages it: serves one path for each encoding, to whoever logs in.

    /usr/bin/python3 rtsp_server.py PORT USER SOUND.wav < PASSWORD

It is run by Debian's own Python, which has the package python3-gi. It prints `up` once it serves.
"""

from __future__ import annotations

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402 - their versions are named first

_SOUND = "filesrc location={file} ! wavparse ! audioconvert ! audioresample"
_PICTURES = (
    "videotestsrc is-live=true ! video/x-raw,format=I420,width=160,height=120,framerate=10/1 ! jpegenc"
    " ! rtpjpegpay name=pay0"
)
_PATHS = {
    "aac": f"{_SOUND} ! voaacenc bitrate=64000 ! rtpmp4gpay name=pay0",
    "opus": f"{_SOUND} ! audio/x-raw,rate=48000 ! opusenc ! rtpopuspay name=pay0",
    "pcm": f"{_SOUND} ! audio/x-raw,format=S16BE,channels=2,rate=44100 ! rtpL16pay name=pay0",
    "alaw": f"{_SOUND} ! audio/x-raw,rate=8000 ! alawenc ! rtppcmapay name=pay0",
    "film": f"{_PICTURES} {_SOUND} ! audio/x-raw,rate=8000 ! alawenc ! rtppcmapay name=pay1",
    "pictures": _PICTURES,
}
_ROLE = "guest,media.factory.access=(boolean)true,media.factory.construct=(boolean)true"


def main() -> None:
    """Serve until it is killed."""
    port, user, file = sys.argv[1:]
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    server.set_auth(_auth(user, sys.stdin.read().strip()))
    for path, launch in _PATHS.items():
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(f"( {launch.format(file=file)} )")
        factory.add_role_from_structure(Gst.Structure.new_from_string(_ROLE))
        server.get_mount_points().add_factory(f"/{path}", factory)
    if not server.attach(None):
        sys.exit(f"port {port} is in use")
    sys.stdout.write("up\n")
    sys.stdout.flush()
    GLib.MainLoop().run()


def _auth(user: str, password: str) -> GstRtspServer.RTSPAuth:
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "guest")
    auth = GstRtspServer.RTSPAuth()
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    return auth


if __name__ == "__main__":
    main()
