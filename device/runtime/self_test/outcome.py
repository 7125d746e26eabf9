"""The result of a self-test: of each stage, the fault that follows from it, and the message that publishes it."""

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
    """Topic of the newest result, retained."""
    return f"{topics.base}/self_test"


def alert_topic(topics: Topics) -> str:
    """Topic on which a test's alert is published and read back; never retained."""
    return f"{result_topic(topics)}/alert"


@dataclass(frozen=True, slots=True)
class StageResult:
    """The result of one stage.

    Attributes:
        stage: which one.
        passed: None if the stage does not apply here, or was not reached.
        detail: one sentence.
    """

    stage: Stage
    passed: bool | None
    detail: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a test.

    Attributes:
        test_id: never reused.
        by: who requested it: mqtt, button, daily.
        begun_utc_s: when it began.
        took_s: its duration.
        results: one for each stage, in order.
    """

    test_id: str
    by: str
    begun_utc_s: float
    took_s: float
    results: tuple[StageResult, ...]

    @property
    def failed(self) -> StageResult | None:
        """The first stage that failed."""
        return next((result for result in self.results if result.passed is False), None)

    def fault(self, at_s: float) -> Fault:
        """The fault for the alarm machine: begins if the test failed, ends if it passed; `at_s` is in stream time."""
        failed = self.failed
        if failed is None:
            detail = f"a self-test passed in {self.took_s:.1f} s"
        else:
            detail = f"the self-test failed at {failed.stage}: {failed.detail}"
        return Fault("self_test", begins=failed is not None, since_s=at_s, at_s=at_s, detail=detail)

    def message(self, topics: Topics) -> Message:
        """The retained message with this result."""
        content = {
            "schema_version": SCHEMA_VERSION,
            "test": True,
            "instance": topics.instance,
            "test_id": self.test_id,
            "by": self.by,
            "begun_utc": utc_text(self.begun_utc_s, "milliseconds"),
            "took_s": round(self.took_s, 3),
            "passed": self.failed is None,
            "stages": {result.stage: {"passed": result.passed, "detail": result.detail} for result in self.results},
        }
        return Message(result_topic(topics), json.dumps(content, ensure_ascii=False).encode(), retain=True)
