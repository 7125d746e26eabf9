"""Tags that programs append to a sound file of any kind: no sound, and no damage."""

from __future__ import annotations

ID3V1_BYTES = 128
_TAGS = (b"ID3", b"APETAGEX", b"LYRICSBEGIN")


def is_tag(head: bytes, left: int) -> bool:
    """Whether a tag begins with these bytes.

    Args:
        head: the first bytes of what may be a tag, 12 or more.
        left: bytes from there to the end of the file; by it a tag of ID3v1 is told.
    """
    return head.startswith(_TAGS) or (head.startswith(b"TAG") and left == ID3V1_BYTES)
