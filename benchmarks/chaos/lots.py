"""Many rounds of one fault on one journal."""

from __future__ import annotations

import random
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.chaos.rig import crying
from tests.system.conftest import program

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.chaos.faults import Fault
    from benchmarks.chaos.judgement import Judgement

LOT = 25
"""Rounds that share one journal and one broker."""


@dataclass(frozen=True, slots=True)
class Lot:
    """Some rounds of one fault that shared a journal.

    Attributes:
        fault: its name.
        seed: of all its choices.
        rounds: times that it was tried.
        judgement: after the last round.
    """

    fault: str
    seed: str
    rounds: int
    judgement: Judgement

    def __str__(self) -> str:
        found = self.judgement
        told = f"{found.owed} owed, {found.from_memory} told from memory first, {found.copies} copies more"
        text = f"{self.fault}, seed {self.seed}: {self.rounds} rounds, {told}"
        wrong = {"lost": found.lost, "kept by no journal": found.unkept, "contradicted": found.contradicted}
        return "".join([text, *(f"; {what}: {keys[:5]}" for what, keys in wrong.items() if keys)])


def try_lot(fault: Fault, rounds: int, seed: str) -> Lot:
    """Try a fault so many times on one journal, then see what arrived."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        folder = Path(name)
        sound = crying(folder)
        try:
            with fault.rig(folder, sound) as rig:
                for _ in range(rounds):
                    fault.round(rig, rng)
                return Lot(fault.name, seed, rounds, rig.settle(keeps_all=fault.keeps_all))
        finally:
            subprocess.run([program("umount"), "--lazy", folder / "disk"], capture_output=True, check=False, timeout=20)


def lots_of(seed: str, rounds: int) -> Iterator[tuple[str, int]]:
    """(seed, rounds) of each lot; one alone where the seed names it."""
    if "." in seed:
        yield seed, min(LOT, rounds)
        return
    for number, begun in enumerate(range(0, rounds, LOT)):
        yield f"{seed}.{number}", min(LOT, rounds - begun)


def table(lots: Sequence[Lot]) -> str:
    """Fault | times tried | survived | alarms lost | worst delay, as Markdown."""
    lines = [
        "| fault | times tried | survived | alarms owed | alarms lost | worst delay |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name in dict.fromkeys(lot.fault for lot in lots):
        mine = [lot for lot in lots if lot.fault == name]
        tried = sum(lot.rounds for lot in mine)
        survived = sum(lot.rounds for lot in mine if lot.judgement.holds)
        owed = sum(lot.judgement.owed for lot in mine)
        delay_s = max(lot.judgement.worst_delay_s for lot in mine)
        lines.append(f"| {name} | {tried} | {survived} | {owed} | {_losses(mine)} | {delay_s:.1f} s |")
    return "\n".join(lines)


def _losses(lots: Sequence[Lot]) -> str:
    lost = sum(len(lot.judgement.lost) for lot in lots)
    said = sum(min(len(lot.judgement.lost), lot.judgement.unreadable) for lot in lots)
    return f"{lost - said} (and {said} told to be unreadable)" if said else str(lost)
