"""The judgement on what pages load, open and say, without a browser."""

from __future__ import annotations

from tests.page.browser import LOOKS, Complaints


def test_a_request_to_any_other_host_or_port_is_a_complaint() -> None:
    complaints = Complaints({"127.0.0.1:8127"})
    for address in ("http://127.0.0.1:8127/live", "data:image/png;base64,AA", "about:blank"):
        complaints.request(address)
    assert complaints.all() == []
    for address in ("http://127.0.0.1:8128/", "https://127.0.0.1.example:8127/a", "//fonts.example/x"):
        complaints.request(address)
    assert [each.startswith("a request to ") for each in complaints.all()] == 3 * [True]
    assert len(complaints.requested) == 6


def test_what_is_expected_is_no_complaint_as_long_as_it_is() -> None:
    complaints = Complaints({"127.0.0.1:8127"}, expected=("ERR_CONNECTION_REFUSED",))
    complaints.say("error", "Failed to load resource: net::ERR_CONNECTION_REFUSED")
    complaints.say("log", "a remark")
    assert complaints.all() == []
    complaints.expected = ()
    complaints.say("error", "Failed to load resource: net::ERR_CONNECTION_REFUSED")
    complaints.say("warning", "a warning")
    complaints.dialogs.append("a dialog: 1")
    assert len(complaints.all()) == 3
    complaints.clear()
    assert complaints.all() == []


def test_a_page_is_looked_at_on_both_screens_in_light_and_dark() -> None:
    assert [str(look) for look in LOOKS] == ["phone-light", "phone-dark", "desktop-light", "desktop-dark"]
    assert all(look.options["viewport"]["width"] == (390 if look.is_phone else 1280) for look in LOOKS)
