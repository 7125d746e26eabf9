"""Thousands of mutations of real bundles, each with its hashes made to fit: `make mutations`.

The law: whatever the bytes, a bundle is refused with one sentence or opens, and this process neither crashes nor hangs
nor meets another error. Each mutation is reproduced by its seed and number. Of a bundle in two parts the backbone or
the head is mutated, and one that opens carries its past over some windows.
"""

from __future__ import annotations

import argparse
import json
import random
import struct
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from device.errors import BundleError, ClassifierError
from device.hearing.bundle.archive import join_archive, split_archive
from device.hearing.bundle.manifest import HEAD_ENTRY
from device.hearing.bundle.reader import decode_bundle
from device.hearing.classifier import Classifier, case_features
from device.runtime.bundle_trial.trial_process import Trial, TrialLimits
from tests.device.hearing.bundle.altered import edited
from tests.device.hearing.network.hostile import (
    CARRYING_CRY,
    CARRYING_SCREAM,
    TINY_LOW,
    TINY_TONE,
    with_head,
    with_network,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SEED = 20261128
LIMITS = TrialLimits(wall_s=60.0, cpu_s=10)
LONGEST_CHECK_S = 5.0
"""Of processor time, for the check in Python."""

WINDOWS = 3
"""That one which opens hears, each with the past of the one before."""

SMALL = (TINY_LOW, TINY_TONE, CARRYING_CRY, CARRYING_SCREAM)
"""Two of one network, two of a backbone and a head: where little is weights, most mutations change the structure."""

_SIZES = (0, 1, 2, 3, 4, 7, 8, 127, 255, 256, 65535, 2**24, 2**31 - 1, 2**31, 2**32 - 1)


@dataclass(frozen=True, slots=True)
class Mutation:
    """One mutated bundle: its number, how it was made, and its bytes."""

    number: int
    kind: str
    file: bytes


def mutations(files: list[bytes], count: int, seed: int = SEED) -> Iterator[Mutation]:
    """So many mutations of the bundles."""
    kinds = {"bits": _bits, "number": _number, "numbers": _numbers, "cut": _cut, "copy": _copy, "entry": _entry}
    for number in range(count):
        rng = random.Random(f"{seed} {number}")
        kind = rng.choice([*kinds, "number", "number", "bits"])
        yield Mutation(number, kind, kinds[kind](rng.choice(files), rng))


def outcome(mutation: Mutation, folder: Path) -> str:
    """What became of a mutation: where it was refused, or that it opened; any other end is an error of ours."""
    began_s = time.process_time()
    try:
        bundle = decode_bundle(mutation.file)
    except BundleError as error:
        _check_sentence(str(error))
        return "refused by its structure"
    finally:
        took_s = time.process_time() - began_s
        assert took_s < LONGEST_CHECK_S, f"mutation {mutation.number}: the check took {took_s:.1f} s"
    path = folder / "mutated.tflite"
    path.write_bytes(mutation.file)
    try:
        with Trial([path], LIMITS) as trial:
            trial.result()
    except BundleError as error:
        _check_sentence(str(error))
        return _refusal(str(error))
    with Classifier.open(bundle) as classifier:
        try:
            list(classifier.classify_sequence([case_features(bundle, bundle.golden[0])] * WINDOWS))
        except ClassifierError as error:  # what the daemon makes a fault of; a changed past need not stay finite
            _check_sentence(str(error))
            return "opened, then a fault"
    return "opened"


def _refusal(sentence: str) -> str:
    """A trial's refusal in a few words, so that they can be counted."""
    for part in (
        "was ended by",
        "took more than",
        "did not end within",
        "its trial failed",
        "cannot be loaded",
        "golden case",
    ):
        if part in sentence:
            return f"refused by its trial: {part}" + (
                sentence.split(part)[1].split(";", maxsplit=1)[0] if "ended by" in part else ""
            )
    return "refused by its trial: another reason"


def _check_sentence(sentence: str) -> None:
    assert sentence, "a refusal says why"
    assert len(sentence.splitlines()) == 1, sentence


# --- how they are made


def _part(file: bytes, rng: random.Random) -> tuple[bytes, Callable[[bytes, bytes], bytes]]:
    """The network, or one of the two parts, and what puts another in its place."""
    archive = split_archive(file)
    if HEAD_ENTRY in archive.entries and rng.random() < 0.5:
        return archive.entries[HEAD_ENTRY], with_head
    return archive.network, with_network


def _bits(file: bytes, rng: random.Random) -> bytes:
    part, replaced = _part(file, rng)
    network = bytearray(part)
    for _ in range(rng.randint(1, 8)):
        network[rng.randrange(len(network))] ^= 1 << rng.randrange(8)
    return replaced(file, bytes(network))


def _number(file: bytes, rng: random.Random, changes: int = 1) -> bytes:
    """Another number where the flatbuffer keeps one: an offset, a length, an index, a size, an enumeration."""
    part, replaced = _part(file, rng)
    network = bytearray(part)
    for _ in range(changes):
        width, code = rng.choice([(4, "<I"), (4, "<I"), (2, "<H"), (1, "<B")])
        at = rng.randrange(len(network) // width) * width
        (before,) = struct.unpack_from(code, network, at)
        value = rng.choice(
            [*_SIZES, before + 1, before - 1, before * 2, before + 4, before - 4, rng.randrange(len(network))]
        )
        struct.pack_into(code, network, at, value % 256**width)
    return replaced(file, bytes(network))


def _numbers(file: bytes, rng: random.Random) -> bytes:
    return _number(file, rng, rng.randint(2, 12))


def _cut(file: bytes, rng: random.Random) -> bytes:
    network, replaced = _part(file, rng)
    cut = network[: rng.randint(8, len(network))]
    return replaced(file, cut + rng.randbytes(rng.choice([0, 0, 4, 64])))


def _copy(file: bytes, rng: random.Random) -> bytes:
    """A stretch of the network over another one."""
    part, replaced = _part(file, rng)
    network = bytearray(part)
    length = rng.choice([4, 8, 16, 64])
    source, target = (rng.randrange((len(network) - length) // 4) * 4 for _ in range(2))
    network[target : target + length] = network[source : source + length]
    return replaced(file, bytes(network))


def _entry(file: bytes, rng: random.Random) -> bytes:
    """A part of the archive changed: the manifest's bytes, or an entry whose size and hash are made to fit."""
    archive = split_archive(file)
    name = rng.choice(list(archive.entries))
    data = bytearray(archive.entries[name])
    for _ in range(rng.randint(1, 4)):
        if data and rng.random() < 0.8:
            data[rng.randrange(len(data))] = rng.randrange(256)
        else:
            del data[rng.randrange(len(data) + 1) :]
    if name == "manifest.json":
        return join_archive(archive.network, dict(archive.entries) | {name: bytes(data)})
    return edited(file, lambda _, entries: entries.__setitem__(name, bytes(data)))


def tally(count: int, files: list[bytes], *, progress: bool = False) -> Counter[str]:
    """Try so many mutations; how many came to what end."""
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="auricle-mutations-") as folder:
        for mutation in mutations(files, count):
            try:
                found[outcome(mutation, Path(folder))] += 1
            except Exception as error:
                error.add_note(f"mutation {mutation.number} ({mutation.kind}), seed {SEED}")
                raise
            if progress and mutation.number % 250 == 249:
                print(mutation.number + 1, json.dumps(found), flush=True)  # noqa: T201 - asked for
    return found


def main() -> int:
    """Try the mutations that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=5000)
    parser.add_argument("--bundle", type=Path, nargs="+", default=SMALL, help="mutate these (default: four small ones)")
    options = parser.parse_args()
    found = tally(options.count, [path.read_bytes() for path in options.bundle], progress=True)
    sys.stdout.writelines(f"{times:6d}  {end}\n" for end, times in found.most_common())
    return 0


if __name__ == "__main__":
    sys.exit(main())
