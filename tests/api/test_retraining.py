"""Jobs and models by HTTP: from a decision to a model in use, and back."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlplugin.api import create_app
from mlplugin.api.server import Server
from mlplugin.cli.main import main
from mlplugin.model import load
from mlplugin.service import jobs as module
from mlplugin.service.registry import Registry
from mlplugin.service.service import assemble
from mlplugin.store import open_store
from tests.api.conftest import Live
from tests.e2e.system import until
from tests.support.events import NOON, event, ndjson
from tests.support.models import measured, variant


@pytest.fixture
def loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    """A service on a registry, with decisions and traffic; its jobs are quick."""
    monkeypatch.setattr(module, "WORKER", "tests.support.worker_stub")
    registry = Registry(tmp_path / "data")
    registry.promote(variant(tmp_path, "1.0", measured(0.001, 0.5)))
    service = assemble(
        open_store(None, tmp_path / "data"), load(registry.in_use()), registry=registry
    )
    server = Server(create_app(service), "127.0.0.1", 0, threads=8)
    thread = threading.Thread(target=server.run)
    thread.start()
    live = Live(server.port, service)
    live.send(ndjson(
        event(n, qname=f"www.shop{n % 150}.net", registered_domain=f"shop{n % 150}.net",
              time=NOON + n) for n in range(600)
    ))  # fmt: skip
    for number in range(12):
        body = {"status": "blocked", "scope": "name", "reason": ""}
        live.ask("PUT", f"/api/v1/overrides/qx{number}zkvjw.net", body)
    yield live
    server.stop()
    thread.join(30)
    assert not thread.is_alive()
    service.close()


def stubbed(live: Live, what: str) -> None:
    live.service.retraining.jobs._recipe["stub"] = what


def ended(live: Live, number: str) -> Any:
    path = f"/api/v1/jobs/{number}"
    until("the job is over", lambda: live.ask("GET", path).json["state"] != "running", 60)
    return live.ask("GET", path).json


def test_from_decisions_to_a_model_in_use_and_back(loop: Live) -> None:
    answer = loop.ask("POST", "/api/v1/jobs", {"kind": "train", "threat": "dga"})
    assert answer.status == 202
    job = answer.json
    assert answer.headers["location"] == f"/api/v1/jobs/{job['id']}"
    assert job["material"]["by_threat"] == {"dga": 12}
    done = ended(loop, job["id"])
    assert (done["state"], done["version"], done["parent"]) == ("done", "1.0+1", "1.0")
    assert done["report"]["version"] == "1.0+1"
    assert [one["id"] for one in loop.ask("GET", "/api/v1/jobs").json["jobs"]] == [job["id"]]
    models = {row["version"]: row for row in loop.ask("GET", "/api/v1/models").json["models"]}
    assert models["1.0+1"]["state"] == "candidate"
    assert models["1.0+1"]["who"] == "127.0.0.1"
    assert models["1.0"]["state"] == "live"

    assert loop.ask("PUT", "/api/v1/models/1.0+1/shadow").json == {"shadow": "1.0+1"}
    assert loop.ask("GET", "/api/v1/models/1.0+1").json["state"] == "shadow"
    assert loop.ask("DELETE", "/api/v1/models/1.0/shadow").json == {"shadow": "1.0+1"}
    assert loop.ask("DELETE", "/api/v1/models/1.0+1/shadow").json == {"shadow": None}

    refused = loop.ask("POST", "/api/v1/models/1.0+1/promote", {})
    assert refused.status == 409  # the stand-in measured nothing
    assert "1.0+1 is not promoted" in refused.json["detail"]
    forced = loop.ask("POST", "/api/v1/models/1.0+1/promote", {"force": True}).json
    assert forced["change"]["forced"]
    assert "no metrics.json" in forced["objection"]
    assert loop.service.model.version == "1.0+1"
    assert loop.ask("GET", "/api/v1/models/current").json["state"] == "live"
    assert loop.ask("POST", "/api/v1/models/1.0+1/promote", {}).json["change"] is None

    twice = [loop.ask("POST", "/api/v1/models/rollback", {"from": "1.0+1"}) for _ in range(2)]
    assert [answer.status for answer in twice] == [200, 409], "two presses are one step"
    assert "1.0 is in use, not 1.0+1" in twice[1].json["detail"]
    assert loop.ask("POST", "/api/v1/models/1.0+1/promote", {"force": True}).status == 200
    back = loop.ask("POST", "/api/v1/models/rollback").json
    assert (back["version"], back["change"]["who"]) == ("1.0", "127.0.0.1")
    assert loop.service.model.version == "1.0"
    assert loop.ask("POST", "/api/v1/models/rollback").json["version"] is None
    assert loop.ask("POST", "/api/v1/models/rollback").status == 422


def test_the_command_has_the_service_do_it(
    loop: Live, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []
    monkeypatch.setattr("mlplugin.cli.retrain.conclude", told.append)
    words = ["train", "--from-history", "--service", loop.url]
    assert main(words) == 0
    assert told[0]["version"] == "1.0+1"
    assert "at work" in capsys.readouterr().err
    stubbed(loop, "error")
    assert main(words) == 3
    assert "memory ran out" in capsys.readouterr().err
    stubbed(loop, "sleep")
    loop.ask("POST", "/api/v1/jobs", {"kind": "train"})
    assert main(words) == 1
    assert "runs: wait for it" in capsys.readouterr().err


def stream(live: Live, path: str, headers: dict[str, str] | None = None) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=30)
    connection.request("GET", path, headers=headers or {})
    return connection.getresponse()


def test_a_job_is_followed_live_and_cancelled(loop: Live) -> None:
    stubbed(loop, "sleep")
    job = loop.ask("POST", "/api/v1/jobs", {"kind": "train"}).json
    path = f"/api/v1/jobs/{job['id']}/events"
    answer = stream(loop, path)
    assert answer.headers.get_content_type() == "text/event-stream"
    lines = iter(answer.readline, b"")
    assert next(line for line in lines if line.startswith(b"id:")) == b"id: 1\n"
    assert json.loads(next(lines)[6:])["text"] == "at work"
    second = loop.ask("POST", "/api/v1/jobs", {"kind": "train"})
    assert second.status == 409
    others = [stream(loop, path) for _ in range(2)]
    assert loop.ask("GET", path).status == 429
    cancelled = loop.ask("DELETE", f"/api/v1/jobs/{job['id']}")
    assert cancelled.json["state"] == "cancelled"
    assert b"event: end" in answer.read()
    for other in others:
        assert b"event: end" in other.read()
    behind = loop.ask("GET", path, headers={"Last-Event-ID": "1"})
    assert b"at work" not in behind.body
    assert loop.ask("GET", path, headers={"Last-Event-ID": "x"}).body.count(b"at work") == 1


def test_the_end_of_the_service_ends_what_follows(loop: Live) -> None:
    stubbed(loop, "sleep")
    job = loop.ask("POST", "/api/v1/jobs", {"kind": "train"}).json
    answer = stream(loop, f"/api/v1/jobs/{job['id']}/events")
    answer.readline()
    loop.service.retraining.jobs.release()
    assert b"event: end" in answer.read()


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/api/v1/jobs", {"kind": "bake"}, 422),
        ("POST", "/api/v1/jobs", {"kind": "train", "threat": "x"}, 422),
        ("POST", "/api/v1/jobs", {"kind": "train", "threats": {"a..b": "dga"}}, 422),
        ("POST", "/api/v1/jobs", {"kind": "train", "since": "never"}, 422),
        ("POST", "/api/v1/jobs", {"kind": "train", "no": 1}, 422),
        ("POST", "/api/v1/jobs", b"{", 400),
        ("GET", "/api/v1/jobs/none", None, 404),
        ("DELETE", "/api/v1/jobs/none", None, 404),
        ("GET", "/api/v1/jobs/none/events", None, 404),
        ("POST", "/api/v1/models/none/promote", {}, 404),
        ("POST", "/api/v1/models/current/promote", {}, 404),
        ("PUT", "/api/v1/models/none/shadow", None, 422),
        ("POST", "/api/v1/models/rollback", {"from": 1}, 422),
        ("POST", "/api/v1/models/rollback", {"from": "1" * 65}, 422),
        ("POST", "/api/v1/models/rollback", {"form": "1.0"}, 422),
        ("POST", "/api/v1/models/rollback", b"[]", 422),
        ("POST", "/api/v1/models/rollback", b"{", 400),
    ],
)
def test_what_makes_no_sense(method: str, path: str, body: Any, status: int, loop: Live) -> None:
    headers = {"Content-Type": "application/json"}
    assert loop.ask(method, path, body, headers).status == status


def test_a_contradiction_and_too_few_are_told_at_once(loop: Live) -> None:
    for number in range(12):
        loop.ask("DELETE", f"/api/v1/overrides/qx{number}zkvjw.net")
    answer = loop.ask("POST", "/api/v1/jobs", {"kind": "train"})
    assert (answer.status, "10 are the least" in answer.json["detail"]) == (422, True)
    assert loop.ask("GET", "/api/v1/jobs").json == {"jobs": []}


def test_a_service_on_a_named_model_says_so(live: Live) -> None:
    assert live.ask("GET", "/api/v1/jobs").json == {"jobs": []}
    for method, path, body in (
        ("POST", "/api/v1/jobs", {"kind": "train"}),
        ("POST", "/api/v1/models/1.0/promote", {}),
        ("POST", "/api/v1/models/rollback", None),
        ("DELETE", "/api/v1/models/1.0/shadow", None),
    ):
        answer = live.ask(method, path, body)
        assert answer.status == 409
        assert "--model" in answer.json["detail"]


def test_going_back_is_no_model(live: Live) -> None:
    allowed = live.ask("OPTIONS", "/api/v1/models/rollback").headers["allow"]
    assert set(allowed.split(", ")) == {"POST", "OPTIONS"}
