"""Measures what a broker of many devices takes, how late alarms are, and what is lost when it dies.

    make fleet                             (or: python -m benchmarks.fleet [--devices 1000 5000])

The broker is a real mosquitto with the files of docs/fleet.md: TLS, a certificate and rights for each device, and
persistence. Devices are simulated with the product's client, payloads, pace and backoff; each has a connection and a
thread of its own. Some real daemons are among them. One reader has the rights of a ward and a session that the broker
keeps. All share this machine, so devices and daemons take most of its processors, and times are those of a machine
that is busy. The network is cut for half of the devices where this runs as root.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import tempfile
import time
from pathlib import Path

from benchmarks.fleet.alarm_reader import AlarmReader
from benchmarks.fleet.crowds import AWAY, Crowds
from benchmarks.fleet.device_process import name_of
from benchmarks.fleet.fleet_broker import READER, FleetBroker, sign_devices
from benchmarks.fleet.network_cut import NetworkCut, can_cut
from benchmarks.fleet.real_daemons import RealDaemons, names_of_daemons

STARTS_PER_S = 500.0
RATES_PER_S = (10, 20, 50, 100, 200, 400, 800, 1600)
LATEST_S = 1.0
DEAD_FOR_S = 10.0


class Bench:
    """One size of fleet.

    Args:
        broker: started.
        crowds: not connected yet.
        reader: subscribed.
        daemons: connected.
        rate_s: for how long each rate of alarms, and the quiet, is measured.
        settle_s: from the start of the devices until it is quiet.
    """

    def __init__(
        self,
        broker: FleetBroker,
        crowds: Crowds,
        reader: AlarmReader,
        daemons: RealDaemons,
        *,
        rate_s: float,
        settle_s: float,
    ) -> None:
        self._broker, self._crowds, self._reader, self._daemons = broker, crowds, reader, daemons
        self._rate_s, self._settle_s = rate_s, settle_s

    def run(self, *, owed_each: int) -> None:
        """Print the lines of this size."""
        self._connect()
        self._quiet()
        self._alarms()
        self._slow_reader()
        self._broker_dies()
        self._cut()
        self._owe(owed_each)
        self._compare_daemons()
        self._crowds.until_fresh()
        raised, received = self._crowds.total("raised"), len(self._reader.received)
        print(
            f"raised {raised}, received {received}, lost {raised - received}; copies {self._reader.copies}\n",
            flush=True,
        )

    def _all_connected(self) -> float:
        return self._crowds.until(lambda: self._crowds.total("connected") == self._crowds.count, "all are connected")

    def _nothing_owed(self) -> float:
        def is_done() -> bool:
            return self._crowds.total("owed") == 0 and len(self._reader.received) == self._crowds.total("raised")

        self._crowds.until_fresh()
        return self._crowds.until(is_done, "each alarm has reached the reader")

    def _connect(self) -> None:
        before = self._broker.usage
        self._crowds.say("start", STARTS_PER_S)
        took_s = self._all_connected()
        time.sleep(self._settle_s)
        after = self._broker.usage
        grown_kib, spent_s = after.memory_kib - before.memory_kib, after.cpu_s - before.cpu_s
        count = self._crowds.count
        print(f"## {count} devices\n\nall are connected after {took_s:.0f} s, {count / took_s:.0f} a second")
        print(f"broker: {grown_kib / count:.1f} KiB a device, {after.memory_kib / 1024:.0f} MiB in all")
        print(f"broker: {1000 * spent_s / count:.1f} ms of CPU a device for the start", flush=True)

    def _quiet(self) -> None:
        before = self._broker.usage
        time.sleep(self._rate_s)
        share = (self._broker.usage.cpu_s - before.cpu_s) / self._rate_s
        print(f"quiet: {100 * share:.1f} % of a core, {1e6 * share / self._crowds.count:.0f} us a second and device\n")

    def _alarms(self) -> None:
        print("| alarms a second | arrived | p50 | p99 | broker's CPU |\n|---:|---:|---:|---:|---:|")
        for rate in RATES_PER_S:
            self._reader.pop_delays()
            before = self._broker.usage
            self._crowds.say("alarms", rate)
            time.sleep(self._rate_s)
            self._crowds.say("alarms", 0)
            cpu = 100 * (self._broker.usage.cpu_s - before.cpu_s) / self._rate_s
            self._nothing_owed()
            delays = self._reader.pop_delays()
            p50, p99 = (delays[min(len(delays) - 1, int(part * len(delays)))] for part in (0.5, 0.99))
            came = len(delays) / self._rate_s
            print(f"| {rate} | {came:.0f} | {1000 * p50:.0f} ms | {1000 * p99:.0f} ms | {cpu:.0f} % |", flush=True)
            if p99 > LATEST_S:
                break
        print(flush=True)

    def _slow_reader(self) -> None:
        self._reader.pause()
        self._crowds.say("alarms", 50)
        time.sleep(self._rate_s)
        self._crowds.say("alarms", 0)
        self._crowds.until_fresh()
        self._crowds.until(lambda: self._crowds.total("owed") == 0, "the broker has all")
        behind = self._crowds.total("raised") - len(self._reader.received)
        self._reader.go_on()
        print(f"a reader that read nothing for {self._rate_s:.0f} s: {behind} alarms were late,")
        print(f"all were there {self._nothing_owed():.1f} s after it went on\n", flush=True)

    def _broker_dies(self) -> None:
        self._crowds.say("alarms", 20)
        time.sleep(2.0)
        self._broker.save()
        self._broker.kill()
        time.sleep(DEAD_FOR_S)
        self._crowds.until(lambda: self._crowds.total("connected") == 0, "all have noticed")
        began_s = time.monotonic()
        self._broker.start()
        up_s = time.monotonic() - began_s
        back_s = self._all_connected()
        self._crowds.say("alarms", 0)
        print(f"the broker, killed and started again, listens after {up_s:.1f} s; all are back {back_s:.0f} s later,")
        print(f"and each alarm of meanwhile has arrived {self._nothing_owed():.1f} s after that\n", flush=True)

    def _cut(self) -> None:
        if not can_cut():
            print("the network was not cut: that needs root\n", flush=True)
            return
        there = self._crowds.count - self._crowds.away
        self._crowds.say("alarms", 20)
        with NetworkCut(AWAY, self._broker.fleet.broker.port):
            noticed_s = self._crowds.until(lambda: self._crowds.total("connected") == there, "the others have noticed")
            time.sleep(DEAD_FOR_S)
        back_s = self._all_connected()
        self._crowds.say("alarms", 0)
        print(f"the network cut for {self._crowds.away}: all of them have noticed after {noticed_s:.0f} s,")
        print(f"all are back {back_s:.0f} s after it was whole,")
        print(f"and each alarm of meanwhile has arrived {self._nothing_owed():.1f} s after that\n", flush=True)

    def _compare_daemons(self) -> None:
        if not self._daemons.count:
            return
        self._daemons.wait_until_all_are_connected()
        kept, lost = self._daemons.stop_and_compare(self._reader)
        delays = self._reader.pop_delays_of_daemons()
        p50 = 1000 * delays[len(delays) // 2] if delays else 0.0
        print(
            f"{self._daemons.count} real daemons: {kept} changes of alarms, {lost} lost, p50 {p50:.0f} ms", flush=True
        )

    def _owe(self, each: int) -> None:
        before = len(self._reader.received)
        self._crowds.say("owe", each)
        self._crowds.until(lambda: self._crowds.total("raised") > before, "they owe")
        took_s = self._nothing_owed()
        count = each * self._crowds.count
        rate = count / max(took_s, 0.1)
        print(f"{each} owed alarms each at once, {count} in all, arrived within {took_s:.0f} s: {rate:.0f} a second")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fleet", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--devices", type=int, nargs="+", default=[1000, 5000, 10000], help="(default: 1000 5000 10000)"
    )
    parser.add_argument("--rate-s", type=float, default=20.0, help="for how long each rate is measured (default: 20)")
    parser.add_argument("--settle-s", type=float, default=75.0, help="from the start until it is quiet (default: 75)")
    parser.add_argument("--owed", type=int, default=100, help="alarms that each device owes at once (default: 100)")
    parser.add_argument("--daemons", type=int, default=20, help="real daemons among the devices (default: 20)")
    given = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    cores = len(os.sched_getaffinity(0))
    print(
        f"{platform.machine()}, {cores} cores, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}\n",
        flush=True,
    )
    for count in given.devices:
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            folder = Path(name)
            broker = FleetBroker(folder)
            sign_devices(folder, [READER, *names_of_daemons(given.daemons), *map(name_of, range(count))])
            broker.start()
            reader = AlarmReader(broker.fleet)
            try:
                reader.start()
                with (
                    RealDaemons(folder, broker, given.daemons) as daemons,
                    Crowds(folder, broker.fleet.broker.port, count) as crowds,
                ):
                    bench = Bench(broker, crowds, reader, daemons, rate_s=given.rate_s, settle_s=given.settle_s)
                    bench.run(owed_each=given.owed)
            finally:
                reader.stop()
                broker.kill()


if __name__ == "__main__":
    main()
