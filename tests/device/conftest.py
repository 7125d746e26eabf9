"""What the tests of runtime and tools share: the state of a daemon that is well."""

from __future__ import annotations

import pytest

from device.runtime.daemon_state import AlarmStatus, DaemonState, LabelStatus


@pytest.fixture
def state() -> DaemonState:
    """A nursery that hears, after an hour."""
    return DaemonState(
        instance="anna",
        version="0.2.0",
        pid=4711,
        started_utc_s=1795227247.0,
        told_utc_s=1795230847.0,
        uptime_s=3600.0,
        source="usb:0d8c:0014",
        device="USB Audio Device",
        hearing=True,
        sample_rate_hz=48000,
        level_dbfs=-52.34,
        peak_dbfs=-31.0,
        hop_s=0.5,
        configured_hop_s=0.5,
        listened=0.9996,
        windows=1.0,
        backlog_s=0.1,
        labels=(LabelStatus("cry", "cry", on=True, score=0.97, since_utc_s=1795230787.0),),
        faults=(),
        alarms=(
            AlarmStatus(
                alarm_id="s-cry-cry-2",
                kind="sound",
                name="cry",
                model="cry",
                priority="high",
                state="active",
                acknowledged=False,
                detail="3 of 3 windows",
            ),
        ),
        paused=False,
        owed=2,
        broker="lost",
        journal="",
        events=3,
        faults_told=2,
        gaps=4,
        overruns=5,
        reopened=6,
        windows_scored=7190,
        windows_due=7200,
        dropped_s=0.0,
        dropped_notices=0,
        last_event="cry begin (0.97, 3 of 3 windows)",
        models=("cry 1.0.0",),
        window_age_s=0.4,
        delivered=12,
        delivered_late=1,
    )
