"""Runs rounds of one fault in batches that share a journal, and tabulates the results."""

from __future__ import annotations

import random
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.chaos.rig import write_crying
from tests.programs import program

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.chaos.faults import InjectedFault
    from benchmarks.chaos.judgement import Judgement

ROUNDS_PER_BATCH = 25
"""They share one journal and one broker."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rounds of one fault that shared a journal.

    Attributes:
        fault: the fault's name.
        seed: of all random choices.
        rounds: number of rounds.
        judgement: after the last round.
    """

    fault: str
    seed: str
    rounds: int
    judgement: Judgement

    def __str__(self) -> str:
        found = self.judgement
        counts = f"{found.owed} owed, {found.from_memory} published from memory first, {found.copies} copies more"
        text = f"{self.fault}, seed {self.seed}: {self.rounds} rounds, {counts}"
        wrong = {"lost": found.lost, "kept by no journal": found.unjournalled, "contradictory": found.contradictory}
        return "".join([text, *(f"; {what}: {keys[:5]}" for what, keys in wrong.items() if keys)])


def run_batch(fault: InjectedFault, rounds: int, seed: str) -> Batch:
    """Run some rounds of a fault on one journal, then judge what arrived."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        folder = Path(name)
        sound = write_crying(folder)
        try:
            with fault.make_rig(folder, sound) as rig:
                for _ in range(rounds):
                    fault.run_round(rig, rng)
                return Batch(fault.name, seed, rounds, rig.recover_and_judge(journal_keeps_all=fault.journal_keeps_all))
        finally:
            subprocess.run([program("umount"), "--lazy", folder / "disk"], capture_output=True, check=False, timeout=20)


def seeds_and_sizes(seed: str, rounds: int) -> Iterator[tuple[str, int]]:
    """(seed, rounds) of each batch; a single one if the seed names it, as 1.3 does."""
    if "." in seed:
        yield seed, min(ROUNDS_PER_BATCH, rounds)
        return
    for number, first in enumerate(range(0, rounds, ROUNDS_PER_BATCH)):
        yield f"{seed}.{number}", min(ROUNDS_PER_BATCH, rounds - first)


def table(batches: Sequence[Batch]) -> str:
    """The results as Markdown, a row for each fault."""
    lines = [
        "| fault | times tried | survived | alarms owed | alarms lost | worst delay |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name in dict.fromkeys(batch.fault for batch in batches):
        of_fault = [batch for batch in batches if batch.fault == name]
        tried = sum(batch.rounds for batch in of_fault)
        survived = sum(batch.rounds for batch in of_fault if batch.judgement.holds)
        owed = sum(batch.judgement.owed for batch in of_fault)
        delay_s = max(batch.judgement.worst_delay_s for batch in of_fault)
        lines.append(f"| {name} | {tried} | {survived} | {owed} | {_losses(of_fault)} | {delay_s:.1f} s |")
    return "\n".join(lines)


def _losses(batches: Sequence[Batch]) -> str:
    lost = sum(len(batch.judgement.lost) for batch in batches)
    reported = sum(min(len(batch.judgement.lost), batch.judgement.unreadable) for batch in batches)
    return f"{lost - reported} (and {reported} reported as unreadable)" if reported else str(lost)
