"""What a bundle derives from its parts."""

from __future__ import annotations

from device.hearing.bundle.contents import labels_text
from device.hearing.bundle.reader import decode_bundle


def test_it_knows_its_labels_rate_and_window(file: bytes) -> None:
    bundle = decode_bundle(file)
    assert bundle.label_names == ("low", "normal")
    assert (bundle.sample_rate_hz, bundle.window_samples) == (8000, 16_000)
    assert bundle.card["licence"] == "Apache-2.0"
    assert bundle.network[4:8] == b"TFL3"
    assert [case.name for case in bundle.golden] == ["silence", "sine"]
    assert len(repr(bundle)) < 5000


def test_labels_text_has_one_name_per_line_in_the_order_of_the_scores(file: bytes) -> None:
    assert labels_text(decode_bundle(file).labels) == b"low\nnormal\n"
