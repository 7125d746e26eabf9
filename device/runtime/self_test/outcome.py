"""What comes of a self-test: a verdict on each stage, the fault that follows, and what is published of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from device.daytime import utc_text
from device.messages import Fault
from device.sinks.payloads import Message

if TYPE_CHECKING:
    from device.sinks.payloads import Topics

Stage = Literal["hear", "decide", "journal", "publish", "read_back"]

SCHEMA_VERSION = 1


def result_topic(topics: Topics) -> str:
    """Where the newest test's verdicts stand, retained."""
    return f"{topics.base}/self_test"


def alert_topic(topics: Topics) -> str:
    """Where a test's alert is published and read back; never retained."""
    return f"{result_topic(topics)}/alert"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one stage did.

    Attributes:
        stage: of the way.
        passed: None where there is no such stage here, or nothing reached it.
        detail: one sentence.
    """

    stage: Stage
    passed: bool | None
    detail: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """A test that has ended.

    Attributes:
        test_id: never used twice.
        by: who asked for it: mqtt, button, daily.
        begun_utc_s: when it began.
        took_s: until the last stage.
        verdicts: one for each stage, in order.
    """

    test_id: str
    by: str
    begun_utc_s: float
    took_s: float
    verdicts: tuple[Verdict, ...]

    @property
    def failed(self) -> Verdict | None:
        """The first stage that did not do its part."""
        return next((verdict for verdict in self.verdicts if verdict.passed is False), None)

    def fault(self, at_s: float) -> Fault:
        """What the alarm machine is told, at this second of the stream: that it failed, or that it fails no more."""
        failed = self.failed
        if failed is None:
            detail = f"a self-test passed in {self.took_s:.1f} s"
        else:
            detail = f"the self-test failed at {failed.stage}: {failed.detail}"
        return Fault("self_test", begins=failed is not None, since_s=at_s, at_s=at_s, detail=detail)

    def message(self, topics: Topics) -> Message:
        """What is published of it, retained."""
        told = {
            "schema_version": SCHEMA_VERSION,
            "test": True,
            "instance": topics.instance,
            "test_id": self.test_id,
            "by": self.by,
            "begun_utc": utc_text(self.begun_utc_s, "milliseconds"),
            "took_s": round(self.took_s, 3),
            "passed": self.failed is None,
            "stages": {
                verdict.stage: {"passed": verdict.passed, "detail": verdict.detail} for verdict in self.verdicts
            },
        }
        return Message(result_topic(topics), json.dumps(told, ensure_ascii=False).encode(), retain=True)
