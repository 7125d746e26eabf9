"""Lists are written sorted and read back as they were; a line that says nothing known is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from device.errors import RecordingError
from training.data.split_list import (
    CRY_LIST,
    IMPULSE_RESPONSE_LIST,
    LUNG_LIST,
    SCREAM_LIST,
    ListedClip,
    read_list,
    write_list,
)

if TYPE_CHECKING:
    from pathlib import Path

CRY = ListedClip("b/2.ogg", "b", "b:1", "test", "cry", doubtful=True, reason="hardly, or not at all")
OTHER = ListedClip("a/1.ogg", "a", "a:1", "train", "other", doubtful=False, reason="")
HEAD = "file,set,subject,part,label,doubtful,reason\n"


def test_a_list_survives_its_file_and_is_sorted(tmp_path: Path) -> None:
    write_list(tmp_path / "list.csv", [CRY, OTHER])
    assert read_list(tmp_path / "list.csv") == (OTHER, CRY)
    assert (tmp_path / "list.csv").read_text(encoding="utf-8").startswith(HEAD + "a/1.ogg,a,a:1,train,other,no,\n")


def test_a_missing_list_is_said(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"cry\.csv is missing"):
        read_list(tmp_path / "cry.csv")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a.ogg,a,a:1,training,cry,no,", r"line 2, part says 'training': it must be one of train, val, test, exclude"),
        ("a.ogg,a,a:1,train,baby,no,", "line 2, label says 'baby'"),
        ("a.ogg,a,a:1,train,cry,maybe,", "line 2, doubtful says 'maybe'"),
    ],
)
def test_an_unknown_word_is_named_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "list.csv").write_text(HEAD + line + "\n", encoding="utf-8")
    with pytest.raises(RecordingError, match=said):
        read_list(tmp_path / "list.csv")


@pytest.mark.parametrize("path", [CRY_LIST, SCREAM_LIST, LUNG_LIST, IMPULSE_RESPONSE_LIST])
def test_the_committed_lists_are_as_they_would_be_written(tmp_path: Path, path: Path) -> None:
    write_list(tmp_path / "again.csv", reversed(read_list(path)))
    assert (tmp_path / "again.csv").read_bytes() == path.read_bytes()
