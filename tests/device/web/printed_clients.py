"""The programs that docs/web.md prints, as they are printed there."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tests.programs import program

PAGE_OF_DOCUMENTS = Path(__file__).parents[3] / "docs" / "web.md"


def printed_client(language: str, asks: str, folder: Path) -> list[str]:
    """The command that runs the one program of a language that asks for an address.

    Args:
        language: `python` or `js`.
        asks: a part of the program, such as `api/events`.
        folder: where the program is written to.
    """
    text = PAGE_OF_DOCUMENTS.read_text(encoding="utf-8")
    (client,) = [block for block in re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL) if asks in block]
    path = folder / ("client.py" if language == "python" else "client.mjs")
    path.write_text(client, encoding="utf-8")
    return [*([sys.executable, "-u"] if language == "python" else [program("node")]), str(path)]
