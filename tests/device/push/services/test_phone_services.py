"""ntfy and Pushover: what is sent, what counts as accepted, and every way in which a service may fail."""

from __future__ import annotations

import json
import re
import ssl
import time
from typing import TYPE_CHECKING, Any

import pytest

from device.config.push.notify_settings import NotifySettings
from device.errors import ConfigError
from device.push.notification import Notification, OpenAlarm
from device.push.owed.ledger_content import Told
from device.push.services.delivery_error import DeliveryError
from device.push.services.https_client import MOST_RETRY_AFTER_S, HttpsClient
from device.push.services.ntfy import Ntfy
from device.push.services.pushover import Pushover
from device.push.services.server_address import parse_address
from tests.device.push.phone_services import APP_TOKEN, NTFY_TOKEN, TOPIC, USER_KEY, PhoneServices
from tests.system.broker.authority import Authority

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from device.push.services.push_service import PushService

ALARM = OpenAlarm("s-cry-cry-0", 4, "cry")
CRY = Notification("anna: cry", "02:14: score 0.91.", "high", ALARM.alarm_id, (ALARM,))
SECRETS = (TOPIC, NTFY_TOKEN, APP_TOKEN, USER_KEY)


@pytest.fixture
def phone() -> Iterator[PhoneServices]:
    with PhoneServices() as phone:
        phone.ntfy_token = NTFY_TOKEN
        yield phone


def _ntfy(phone: PhoneServices, token: str | None = NTFY_TOKEN, key: bytes | None = b"key") -> Ntfy:
    return Ntfy(parse_address(phone.ntfy_url, "a file"), token=token, ca_file=None, key=key)


def _pushover(phone: PhoneServices, token: str = APP_TOKEN, user: str = USER_KEY) -> Pushover:
    address = parse_address(phone.origin, "a file")
    return Pushover(address, token=token, user=user, settings=NotifySettings(service="pushover"))


SERVICES: dict[str, Callable[[PhoneServices], PushService]] = {"ntfy": _ntfy, "pushover": _pushover}


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest, phone: PhoneServices) -> PushService:
    return SERVICES[str(request.param)](phone)


def _refusal(service: PushService, notification: Notification = CRY) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        service.send(notification)
    assert not any(secret in str(caught.value) for secret in SECRETS)
    assert "\n" not in str(caught.value)
    return caught.value


# --- accepted


def test_ntfy_gets_title_text_priority_tag_and_a_button(phone: PhoneServices) -> None:
    assert _ntfy(phone).send(CRY) == ""
    (message,) = phone.messages()
    assert message["topic"] == TOPIC
    assert (message["title"], message["message"], message["priority"]) == (CRY.title, CRY.text, 5)
    assert message["tags"] == ["rotating_light"]
    (button,) = message["actions"]
    assert (button["action"], button["method"], button["url"]) == ("http", "POST", f"{phone.ntfy_url}-ack")
    assert phone.requests[0][1] == "/"  # the topic stands in no URL


def test_ntfy_replaces_a_message_about_the_same_alarm_and_no_other(phone: PhoneServices) -> None:
    ntfy = _ntfy(phone)
    for subject in ("a", "a", "b"):
        ntfy.send(Notification("t", "x", "quiet", subject))
    ids = [message["sequence_id"] for message in phone.messages()]
    assert ids[0] == ids[1] != ids[2]
    assert "actions" not in phone.messages()[0]


def test_pushover_gets_an_emergency_with_its_times_and_gives_a_receipt(phone: PhoneServices) -> None:
    receipt = _pushover(phone).send(CRY)
    assert receipt in phone.receipts
    (message,) = phone.messages()
    assert (message["priority"], message["retry"], message["expire"]) == ("2", "30", "3600")


@pytest.mark.parametrize(("urgency", "ntfy", "pushover"), [("medium", 4, "1"), ("low", 2, "-1"), ("quiet", 1, "-2")])
def test_less_urgent_news_are_no_emergency(phone: PhoneServices, urgency: Any, ntfy: int, pushover: str) -> None:
    news = Notification("t", "x", urgency, "a")
    assert (_ntfy(phone).send(news), _pushover(phone).send(news)) == ("", "")
    assert [message["priority"] for message in phone.messages()] == [ntfy, pushover]


def test_text_of_any_length_and_script_is_accepted(phone: PhoneServices, service: PushService) -> None:
    service.send(Notification("ä" * 900, "語" * 5000, "low", "a"))
    assert phone.messages()[0]["message"].startswith("語語")


# --- acknowledged


def test_a_press_of_the_button_acknowledges_this_alarm_once_it_waits(phone: PhoneServices) -> None:
    ntfy = _ntfy(phone)
    ntfy.send(CRY)
    told = {ALARM.alarm_id: Told(4, "", is_waiting=True)}
    assert ntfy.acknowledgements(told) == []
    phone.press(phone.messages()[0])
    (found,) = ntfy.acknowledgements(told)
    assert (found.alarm_id, found.by) == (ALARM.alarm_id, "ntfy")
    assert ntfy.acknowledgements(told) == []  # each answer is read once


def test_an_answer_to_an_earlier_occasion_or_of_a_stranger_acknowledges_nothing(phone: PhoneServices) -> None:
    ntfy = _ntfy(phone)
    ntfy.send(CRY)
    phone.press(phone.messages()[0])
    for text in (f"{ALARM.alarm_id} 4 {'0' * 24}", "acknowledge", "", 7, None, "x" * 9999, f"{ALARM.alarm_id} 9"):
        phone.replies.append({"id": f"s{len(phone.replies)}", "topic": f"{TOPIC}-ack", "message": text})
    assert ntfy.acknowledgements({ALARM.alarm_id: Told(5, "", is_waiting=True)}) == []
    other = Ntfy(parse_address(phone.ntfy_url, "a file"), token=NTFY_TOKEN, ca_file=None, key=b"another")
    assert other.acknowledgements({ALARM.alarm_id: Told(4, "", is_waiting=True)}) == []


def test_without_a_key_there_is_no_button_and_nothing_is_asked(phone: PhoneServices) -> None:
    ntfy = _ntfy(phone, key=None)
    ntfy.send(CRY)
    assert "actions" not in phone.messages()[0]
    assert ntfy.acknowledgements({ALARM.alarm_id: Told(4, "", is_waiting=True)}) == ()
    assert len(phone.requests) == 1


def test_pushovers_receipt_says_on_which_device_somebody_acknowledged(phone: PhoneServices) -> None:
    pushover = _pushover(phone)
    told = {ALARM.alarm_id: Told(4, pushover.send(CRY), is_waiting=True)}
    assert pushover.acknowledgements(told) == []
    phone.acknowledge(told[ALARM.alarm_id].receipt)
    (found,) = pushover.acknowledgements(told)
    assert (found.alarm_id, found.by) == (ALARM.alarm_id, "pushover on iphone")


def test_pushover_cancels_what_is_acknowledged_elsewhere_also_if_it_has_forgotten_it(phone: PhoneServices) -> None:
    pushover = _pushover(phone)
    receipt = pushover.send(CRY)
    pushover.send(Notification("over", "x", "quiet", "a", obsolete=(receipt, "forgotten")))
    assert phone.cancelled == [receipt]
    assert [message["title"] for message in phone.messages()] == ["anna: cry", "over"]


def test_a_reminder_of_an_emergency_that_still_sounds_is_not_sent_and_one_of_an_expired_is(
    phone: PhoneServices,
) -> None:
    pushover = _pushover(phone)
    receipt = pushover.send(CRY)
    reminder = Notification("again", "x", "high", "a", repeats=True, receipts={ALARM.alarm_id: receipt})
    assert pushover.send(reminder) == receipt
    phone.acknowledge(receipt)  # on the phone, a moment ago: it must not ring again
    assert pushover.send(reminder) == receipt
    assert len(phone.messages()) == 1
    phone.receipts[receipt] |= {"acknowledged": 0, "expired": 1}
    assert pushover.send(reminder) not in {receipt, ""}
    assert len(phone.messages()) == 2


# --- not accepted


@pytest.mark.parametrize(
    ("fault", "obstacle", "sentence"),
    [
        (500, "busy", "fails (HTTP 500)"),
        (503, "busy", "fails (HTTP 503)"),
        ((429, "7"), "busy", "HTTP 429"),
        (401, "refused", "HTTP 401"),
        (403, "refused", "HTTP 403"),
        (404, "refused", "HTTP 404"),
        ("elsewhere", "refused", "points elsewhere, which is not followed (HTTP 307)"),
        ("reset", "network", "cannot be reached"),
        ("half", "network", "cannot be reached"),
        (200, "busy", "answers what is no answer"),
    ],
)
def test_a_fault_is_no_acceptance_and_says_what_it_means(
    phone: PhoneServices, service: PushService, fault: Any, obstacle: str, sentence: str
) -> None:
    phone.faults.append(fault)
    error = _refusal(service)
    assert (error.obstacle, sentence in str(error)) == (obstacle, True), error
    assert error.retry_after_s == (7.0 if fault == (429, "7") else None)
    assert phone.messages() == []
    service.send(CRY)
    assert len(phone.messages()) == 1


def test_a_redirect_leaks_nothing_to_where_it_points(phone: PhoneServices, service: PushService) -> None:
    with PhoneServices() as other:
        phone.elsewhere = f"{other.origin}/"
        phone.faults.append("elsewhere")
        _refusal(service)
        assert other.requests == []


def test_a_wrong_token_and_a_wrong_user_are_told_apart(phone: PhoneServices) -> None:
    assert "refuses the token" in str(_refusal(_ntfy(phone, NTFY_TOKEN[::-1])))
    assert "refuses the API token (HTTP 400)" in str(_refusal(_pushover(phone, "b" * 30)))
    assert "refuses the user key (HTTP 400)" in str(_refusal(_pushover(phone, user="c" * 30)))


def test_no_server_and_no_such_host_are_a_network_that_is_missing() -> None:
    nobody = parse_address(f"http://127.0.0.1:9/{TOPIC}", "a file")
    assert _refusal(Ntfy(nobody, token=None, ca_file=None, key=None)).obstacle == "network"
    unknown = parse_address(f"https://no-such-host.invalid/{TOPIC}", "a file")
    assert _refusal(Ntfy(unknown, token=None, ca_file=None, key=None)).obstacle == "network"


def test_a_server_that_writes_a_byte_at_a_time_is_cut_at_the_deadline(phone: PhoneServices) -> None:
    phone.faults.append("slow")
    client = HttpsClient(parse_address(phone.origin, "a file"), within_s=0.3)
    began_s = time.monotonic()
    with pytest.raises(DeliveryError, match=re.escape("127.0.0.1 does not answer within 0.3 s")):
        client.request("GET", "/")
    assert time.monotonic() - began_s < 2.0


def test_certificates_are_verified_and_a_server_that_nobody_vouches_for_gets_no_byte(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.sign("server"))
    with PhoneServices(context) as phone:
        address = parse_address(phone.ntfy_url, "a file")
        error = _refusal(Ntfy(address, token=NTFY_TOKEN, ca_file=None, key=None))
        assert error.obstacle == "refused"
        assert str(error).startswith("the certificate of 127.0.0.1 is not trusted")
        assert phone.requests == []
        Ntfy(address, token=None, ca_file=str(authority.certificate), key=None).send(CRY)
        named_otherwise = parse_address(phone.ntfy_url.replace("127.0.0.1", "localhost"), "a file")
        wrong = Ntfy(named_otherwise, token=None, ca_file=str(authority.certificate), key=None)
        assert "not trusted" in str(_refusal(wrong))
        assert len(phone.messages()) == 1


def test_an_own_authority_needs_no_extensions_whatever_python_demands_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.13 demands a key usage extension: after an upgrade of the system no message would arrive."""

    def strict(*, cafile: str | None = None) -> ssl.SSLContext:
        context = lenient(cafile=cafile)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    lenient = ssl.create_default_context
    monkeypatch.setattr(ssl, "create_default_context", strict)
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.sign("server"))
    with PhoneServices(context) as phone:
        address = parse_address(phone.ntfy_url, "a file")
        Ntfy(address, token=None, ca_file=str(authority.certificate), key=None).send(CRY)
        assert len(phone.messages()) == 1


def test_a_certificate_that_is_out_of_date_by_our_clock_is_tried_again_soon(tmp_path: Path) -> None:
    """A Pi without a network gets the time after its start: until then every certificate is of the future."""
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.sign("server", days=0))
    with PhoneServices(context) as phone:
        address = parse_address(phone.ntfy_url, "a file")
        error = _refusal(Ntfy(address, token=None, ca_file=str(authority.certificate), key=None))
    assert (error.obstacle, phone.requests) == ("network", [])
    assert str(error) == "the certificate of 127.0.0.1 is not valid by this machine's clock"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("12", 12.0), ("999999", MOST_RETRY_AFTER_S), ("-3", 0.0), ("soon", None), ("nan", None), ("inf", None)],
)
def test_retry_after_is_seconds_bounded_and_nonsense_is_ignored(
    phone: PhoneServices, value: str, seconds: float | None
) -> None:
    phone.faults.append((429, value))
    assert _refusal(_ntfy(phone)).retry_after_s == seconds


def test_retry_after_may_be_a_date(phone: PhoneServices) -> None:
    phone.faults.append((503, time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 100))))
    seconds = _refusal(_ntfy(phone)).retry_after_s
    assert seconds is not None
    assert 90.0 < seconds < 101.0


@pytest.mark.parametrize(
    "text",
    [
        "ntfy.sh/topic",
        "http://ntfy.sh/topic",
        "ftp://ntfy.sh/topic",
        "https://user:secret@ntfy.sh/topic",
        "https:///topic",
        "https://ntfy.sh:x/topic",
        "https://ntfy.sh/a b",
        "https://ntfy.sh/t\n",
        "",
    ],
)
def test_an_address_that_is_none_or_not_encrypted_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_address(text, "the file")
    assert "secret" not in str(caught.value)
    assert "topic" not in str(caught.value)


@pytest.mark.parametrize("url", ["https://ntfy.sh/", "https://ntfy.sh", "https://ntfy.sh/a.b", f"https://h/{'x' * 61}"])
def test_an_address_of_ntfy_ends_with_a_topic(url: str) -> None:
    with pytest.raises(ConfigError, match="must end with a topic"):
        Ntfy(parse_address(url, "a file"), token=None, ca_file=None, key=None)


def test_a_key_of_pushover_that_looks_like_none_is_refused_before_it_is_sent(phone: PhoneServices) -> None:
    with pytest.raises(ConfigError, match="the API token of Pushover must be 30 letters and digits"):
        _pushover(phone, "short")
    assert phone.requests == []


def test_an_answer_without_end_is_cut(phone: PhoneServices) -> None:
    phone.replies += [{"id": f"r{n}", "topic": f"{TOPIC}-ack", "message": "x" * 1000} for n in range(400)]
    with pytest.raises(DeliveryError, match="answers with more than 256 KiB"):
        _ntfy(phone).acknowledgements({ALARM.alarm_id: Told(4, "", is_waiting=True)})


def test_the_message_that_the_phone_gets_is_json_with_nothing_of_ours_that_is_secret(phone: PhoneServices) -> None:
    _ntfy(phone, key=b"the key").send(CRY)
    text = json.dumps(phone.messages())
    assert NTFY_TOKEN not in text
    assert "the key" not in text
