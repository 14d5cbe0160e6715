# ruff: noqa: S608 - only text of this file becomes SQL
"""While queries arrive at a fixed rate: how long a click takes, what blocks the page."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from playwright.sync_api import TimeoutError as NotSeen

from bench.performance.results import Results
from bench.screens import browse
from bench.screens.browse import window
from bench.screens.history import History
from bench.screens.places import Busy
from bench.screens.truth import SQL
from bench.screens.walk import FILE, RANGES, say, served
from tests.dashboard.browser import launched

EVERY = 0.1
SENSOR = "edge-1"
MARK_EVERY = 25
KEPT = 4000


class Stream:
    """Sends events of a history again, as queries of now, at a rate."""

    def __init__(self, port: int, rows: list[dict[str, Any]], rate: int) -> None:
        self.port, self.rows, self.rate = port, rows, rate
        self.sent = 0
        self.late = 0.0
        self.fault: BaseException | None = None
        self._marks: list[str] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stream")

    def mark(self, name: str) -> None:
        """Have a flagged query for this name be among the next."""
        with self._lock:
            self._marks.append(name)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Send until the end."""
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join()
        if self.fault is not None:
            raise self.fault

    def _run(self) -> None:
        try:
            self._send()
        except BaseException as fault:
            self.fault = fault

    def _send(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Content-Type": "application/x-ndjson"}
        first, began, turn = int(time.time() * 1e6), time.perf_counter(), 0
        while not self._stop.wait(max(0, began + turn * EVERY - time.perf_counter())):
            self.late = max(self.late, time.perf_counter() - began - turn * EVERY)
            body = self._batch(first, int(self.rate * EVERY))
            connection.request("POST", f"/api/v1/events?sensor={SENSOR}", body, headers)
            answer = connection.getresponse()
            said = answer.read()
            assert answer.status == 200, said
            turn += 1

    def _batch(self, first: int, size: int) -> bytes:
        now, lines = int(time.time() * 1e6), []
        with self._lock:
            marks, self._marks = self._marks, []
        for place in range(size):
            row = dict(self.rows[(self.sent + place) % len(self.rows)])
            if place < len(marks):
                row |= {"qname": marks[place], "registered_domain": marks[place],
                        "verdict": "malicious", "threat": "dga", "score": 55.0,
                        "source": "model", "action": "nxdomain"}  # fmt: skip
            row["sequence"], row["time"] = first + self.sent + place, now - size + place
            lines.append(json.dumps(row, separators=(",", ":")))
        self.sent += size
        return "\n".join(lines).encode() + b"\n"


def live(
    results: Results, history: History, busy: Busy, scratch: Path, *, rate: int, rounds: int
) -> None:
    """Look at the pages while events arrive at a rate; on a copy, since the history grows."""
    if results.has(part="live"):
        return
    with tempfile.TemporaryDirectory(dir=scratch) as place:
        data = Path(place) / "data"
        data.mkdir()
        shutil.copyfile(history.data / FILE, data / FILE)
        rows = _rows(data / FILE)
        with served(data) as service, launched() as found:
            stream = Stream(service.port, rows, rate)
            before = service.stats()["queries"]
            began = time.perf_counter()
            with stream.running(), window(found, service.url) as here:
                _clicks(results, here, busy, rounds)
                _still(results, here, stream)
            wall = time.perf_counter() - began
            stored = service.stats()["queries"] - before
            results.add(part="live", setting="events", sent=stream.sent, stored=stored,
                        rate=round(stream.sent / wall), late=stream.late,
                        faults=here.faults())  # fmt: skip
            say(f"live: {stream.sent:,} events sent at {stream.sent / wall:,.0f} a second, "
                f"{stored:,} stored, the latest batch {stream.late:.2f} s late")  # fmt: skip


def _clicks(results: Results, here: browse.Window, busy: Busy, rounds: int) -> None:
    """Press what people press; what each took, and what blocked the page meanwhile."""
    here.open("/")
    here.long_tasks()
    for number in range(rounds):
        deeds = [
            *((f"overview: {span}", f"nav.segments a[href*='since={span}']") for span in RANGES),
            ("go to queries", "nav.pages a[href^='/queries']"),
            ("queries: 1h", "nav.segments a[href*='since=1h']"),
            ("queries: everything", "nav.segments a[href*='since=all']"),
            ("go to vetting", "nav.pages a[href^='/vetting']"),
            ("go to model", "nav.pages a[href^='/model']"),
            ("go to overview", "nav.pages a:first-child"),
        ]
        for setting, selector in deeds:
            took = here.follow(selector)
            long = here.long_tasks()
            results.add(part="live", setting=setting, round=number, seconds=took,
                        longest=max((one["took"] for one in long), default=0))  # fmt: skip
        for setting, path in (("open a domain", f"/domain/{busy.domain}"),
                              ("open a client", f"/client/{busy.client}")):  # fmt: skip
            results.add(part="live", setting=setting, round=number, seconds=here.open(path))
        here.open("/")
        here.long_tasks()
    say(f"live: {rounds} rounds of clicks")


def _still(results: Results, here: browse.Window, stream: Stream) -> None:
    """Only look at the overview: what blocks it, and how soon it shows what was flagged."""
    here.open("/")
    here.long_tasks()
    began = time.perf_counter()
    for number in range(MARK_EVERY):
        name = f"seen{number}x{int(time.time())}.example"
        sent = time.perf_counter()
        stream.mark(name)
        shown: float | None = None
        with contextlib.suppress(NotSeen):
            here.page.wait_for_selector(f"#live :text('{name}')", timeout=20_000)
            shown = time.perf_counter() - sent
        results.add(part="live", setting="until a flagged query is seen", round=number,
                    seconds=shown)  # fmt: skip
    long, wall = here.long_tasks(), time.perf_counter() - began
    longest = max((one["took"] for one in long), default=0)
    results.add(part="live", setting="looking on", longest=longest, long=len(long),
                blocked=sum(one["took"] - 50 for one in long), over=wall)  # fmt: skip


def _rows(file: Path) -> list[dict[str, Any]]:
    """Some events of the history, as a sensor sends them."""
    found = SQL(file).ask(
        f"""SELECT client, qname, right(qname, domain_length), qtype, rcode, verdict::VARCHAR,
            threat::VARCHAR, score::DOUBLE, source::VARCHAR, model, action::VARCHAR
        FROM events WHERE {{where}} USING SAMPLE reservoir({KEPT} ROWS) REPEATABLE (1)""", {}
    )  # fmt: skip
    names = ("client", "qname", "registered_domain", "qtype", "rcode", "verdict", "threat",
             "score", "source", "model", "action")  # fmt: skip
    rows = [dict(zip(names, row, strict=True)) for row in found]
    for row in rows:  # as sensors write addresses
        row["client"] = str(ip_address(row["client"]))
    return [{key: value for key, value in row.items() if value is not None} for row in rows]
