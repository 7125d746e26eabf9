"""Names of clips and their folders, `YYYY/MM/label_score_20250228T164621Z.flac`, with a `.png` beside each. Pure."""

from __future__ import annotations

import re

_LABEL = r"[a-z0-9][a-z0-9_-]{0,63}"
OWN_NAME = re.compile(
    rf"(?P<stem>(?P<label>{_LABEL})_(?P<score>[01]\.\d\d)_(?P<utc>\d{{8}}T\d{{6}}Z)(-\d{{1,4}})?)"
    r"\.(?P<kind>flac|png)(?P<part>\.part)?",
    re.ASCII,
)
"""The file of a clip or picture, or a part of it that is being written."""

YEAR, MONTH = re.compile(r"\d{4}", re.ASCII), re.compile(r"\d{2}", re.ASCII)
