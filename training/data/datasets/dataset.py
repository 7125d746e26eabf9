"""A collection as its reader found it: the recordings that can be used, and every annotation that cannot.

A problem is never dropped: it names its file and line, is counted and printed. Knows no layout.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from training.data.datasets.annotated_recording import AnnotatedRecording


@dataclass(frozen=True, slots=True)
class AnnotationProblem:
    """Something in a collection that cannot be used as it stands.

    Attributes:
        file: the file to mend.
        line: its line, from 1; None where the whole file is meant.
        sentence: what is wrong, and with which value.
    """

    file: Path
    line: int | None
    sentence: str

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}, line {self.line}"
        return f"{where}: {self.sentence}"


@dataclass(frozen=True, slots=True)
class Dataset:
    """A collection.

    Attributes:
        name: of its folder.
        folder: what `file` of a split is relative to.
        recordings: those whose audio can be opened, in the reader's order.
        problems: what could not be used, in the order it was found.
    """

    name: str
    folder: Path
    recordings: tuple[AnnotatedRecording, ...]
    problems: tuple[AnnotationProblem, ...]

    def file_name(self, recording: AnnotatedRecording) -> str:
        """The name of a recording in a split: relative to the folder, with forward slashes."""
        return recording.file.relative_to(self.folder).as_posix()
