"""The settings of one training run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """One training run.

    Attributes:
        seed: of weights, windows, batches and masks.
        steps: number of batches.
        learning_rate: its peak; it warms up over `warmup_steps` and falls with a cosine to 1 %.
        batch_windows: windows of a batch.
        uses: how often each window is used, on average.
        pool_chunks: chunks that batches are drawn from.
        warmup_steps: batches of rising rate.
        weight_decay: of AdamW.
        dropout: of the pooled values.
        soft_label_share: share of the soft label in the target.
        smoothing: targets are kept this far from 0 and 1.
        embedding_weight: weight of the distance to the teacher's embedding.
        average_every: batches between two steps of the running average.
        average_decay: share of the average that is kept at each of its steps.
        check_every: batches between two checks on validation scenes.
        masked_share: windows of which some frames and bins are masked.
    """

    seed: int
    steps: int
    learning_rate: float
    batch_windows: int = 64
    uses: float = 2.0
    pool_chunks: int = 8
    warmup_steps: int = 200
    weight_decay: float = 2e-3
    dropout: float = 0.2
    soft_label_share: float = 0.4
    smoothing: float = 0.01
    embedding_weight: float = 1.0
    average_every: int = 4
    average_decay: float = 0.98
    check_every: int = 500
    masked_share: float = 0.5
