"""A card reads as a page."""

from __future__ import annotations

from device.hearing.bundle.card_page import card_markdown

CARD = {
    "summary": "hears cries",
    "licences": ["CC0", "CC BY 4.0"],
    "limits": {"age_months": 24, "tested": True, "none": None},
    "sources": [{"name": "a|b", "auc": 0.99123456789}, {"name": "c", "note": "two\nlines"}],
    "nested": [{"ci": {"low": 0.9, "high": 1}}],
    "empty": {},
}


def test_plain_members_come_first_then_a_heading_for_each_object() -> None:
    page = card_markdown("cry 1.0.0", CARD)
    assert page.startswith(
        "# cry 1.0.0\n\n- summary: hears cries\n- licences: CC0, CC BY 4.0\n- empty: none\n\n## limits\n"
    )
    assert "- age months: 24\n- tested: yes\n- none: -\n" in page


def test_a_list_of_objects_is_a_table_with_every_column() -> None:
    page = card_markdown("cry 1.0.0", CARD)
    assert "| name | auc | note |\n| --- | --- | --- |\n| a\\|b | 0.991235 |  |\n| c |  | two lines |\n" in page


def test_objects_within_a_list_stay_on_one_line() -> None:
    assert "- ci low 0.9; high 1\n" in card_markdown("cry 1.0.0", CARD)


def test_an_empty_card_is_a_title() -> None:
    assert card_markdown("cry 1.0.0", {}) == "# cry 1.0.0\n"
