"""What each system's authors published, why it came out so, and what of it cannot be measured on the data at hand.

A table, one row for each system; nothing here is measured. References were published by nobody: they are what a
published design must beat.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ElsewhereMeasured:
    """What needs data that is not at hand, and the commands that measure it where they are."""

    of: str
    reason: str
    commands: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """One published system.

    Attributes:
        system: its name in the catalogue.
        what: what it is, in a few words.
        published: the figures that were published, or a dash where none is known.
        terms: on which terms.
        why: why the figures were what they were.
        source: who states them.
        elsewhere: what cannot be measured here.
    """

    system: str
    what: str
    published: str
    terms: str
    why: str
    source: str
    elsewhere: tuple[ElsewhereMeasured, ...] = ()


_AUTHORS = "its authors' report"
_ICBHI_SPLIT = (
    "python -m training split ICBHI --official-split --out build/icbhi.csv",
    "python -m training train --system {} --data ICBHI --split build/icbhi.csv --official-split --out runs/{}-icbhi-1",
)


def _icbhi(system: str) -> ElsewhereMeasured:
    folder = system.replace("/", "-")
    return ElsewhereMeasured(
        f"{system} on ICBHI 2017, official split",
        "of ICBHI's 920 recordings a sample of three patients is at hand; SPRSound stands in for it",
        tuple(command.format(system, folder) if "{}" in command else command for command in _ICBHI_SPLIT),
    )


CLAIMS = (
    Claim(
        system="cnn_bilstm",
        what="breath sounds: wheeze and crackle, each by itself; CNN and bidirectional LSTM on MFCC",
        published="macro F1 0.82; 0.49 on original clips; 0.82 and 0.45 with 80,000 augmented clips",
        terms="on augmented clips that were split by clip",
        why="Clips were augmented before they were split, so copies of one patient's clip taught and judged; and "
        "augmenting had balanced the clips that judged. [The leak](#the-leak) shows how much each of the two gives.",
        source=_AUTHORS,
        elsewhere=(_icbhi("cnn_bilstm/published"),),
    ),
    Claim(
        system="residual_dual",
        what="reason of an infant's cry: hungry or other; residual network with two branches, MFCC and mel",
        published="accuracy 97.15 %, F1 0.972",
        terms="on about 35 clips",
        why="{small_test} Four in five recordings of the corpus are labelled hungry, so accuracy and F1 are high for "
        "whoever always says hungry; balanced accuracy is 0.5 for that. The reasons are parents' guesses.",
        source=_AUTHORS,
    ),
    Claim(
        system="han",
        what="breath cycles: normal, wheeze, crackle, both; hierarchical attention over frequency and time",
        published="SP 65.93, SE 34.75, AS 50.33, HS 45.51",
        terms="on ICBHI 2017",
        why="It is in line with others on that data: on ICBHI's official split small networks without AudioSet "
        "reach AS 54 to 56. What is measured here is another collection, so the figures do not compare.",
        source=_AUTHORS,
        elsewhere=(_icbhi("han/published"),),
    ),
    Claim(
        system="transfer",
        what="breath sounds as pictures: VGG, MobileNetV3, InceptionV3, ResNet152V2, a two-branch CNN",
        published="-",
        terms="no figure is quoted",
        why="Their point was ImageNet's weights. Where these cannot be had the networks are trained from scratch, "
        "which is another, weaker system; each run says which it was.",
        source=_AUTHORS,
        elsewhere=(
            ElsewhereMeasured(
                "transfer with ImageNet's weights",
                "the weights are neither at hand nor can they be downloaded here",
                ("python -m training train --system transfer/vgg16 --data DIR --weights vgg16.h5 --out runs/vgg16",),
            ),
        ),
    ),
    Claim(
        system="resnet34",
        what="screams: 34-layer residual network on log-mel of 20 s",
        published="95.22 %",
        terms="accuracy; on which clips is not stated",
        why="Clips of a scream collection differ from its other clips in more than the scream (source, length, codec), "
        "and a split by clip lets the source tell. Here all went through one codec and no source is on both sides.",
        source=_AUTHORS,
    ),
)
"""The five published designs, in the order of the catalogue."""

REFERENCES = {
    "baseline": "a residual network of at most 150,000 parameters, from scratch: what a published design must beat",
    "audioset": "MobileNetV3 that learned AudioSet's 527 classes, frozen or fine-tuned: what all of them must beat",
}
"""Systems without a claim."""

SMALL_TEST_CLIPS = 35
SMALL_TEST_HITS = 34
"""97.15 % of about 35 clips: one was wrong."""
