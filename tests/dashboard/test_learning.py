"""Learning on the screen: a retraining watched and cancelled, a model promoted, and back."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from mlplugin.api import create_app
from mlplugin.api.server import Server
from mlplugin.dashboard import html
from mlplugin.dashboard.parts import jobs, models, report
from mlplugin.errors import MlpluginError
from mlplugin.model import load
from mlplugin.service import jobs as module
from mlplugin.service.registry import Registry
from mlplugin.service.service import assemble
from mlplugin.store import open_store
from tests.dashboard import history
from tests.dashboard.conftest import Open, Site, settled
from tests.dashboard.test_pages import barriers
from tests.support.events import event, ndjson
from tests.support.families import syllables
from tests.support.models import measured, variant

WHILE = 480_000  # milliseconds: of a whole job, where much else runs


@pytest.fixture
def loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A service on a registry, with decisions and traffic; its jobs are small ones."""
    monkeypatch.setattr(module, "WORKER", "tests.support.eager_worker")
    registry = Registry(tmp_path / "data")
    registry.promote(variant(tmp_path, "1.0", measured(0.001, 0.5)))
    store = open_store(None, tmp_path / "data")
    service = assemble(store, load(registry.in_use()), registry=registry)
    service.retraining.jobs._recipe = {"passes": 2, "each": 60}
    server = Server(create_app(service), "127.0.0.1", 0)
    thread = threading.Thread(target=server.run)
    thread.start()
    service.ingest.take(history.SENSOR, ndjson(history.events()))
    service.ingest.take("edge-2", ndjson(
        event(n, qname=f"www.shop{n % 150}.net", registered_domain=f"shop{n % 150}.net")
        for n in range(600)
    ))  # fmt: skip
    yield Site(server.port, service)
    server.stop()
    thread.join(30)
    service.close()


def vet(site: Site, count: int = 40) -> None:
    for name in syllables(1, count):
        site.service.vetting.decide(name, "blocked", who="somebody")
    for number in range(count):
        site.service.vetting.decide(f"www.shop{number}.net", "benign", who="somebody")


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def done(page: Page, text: str) -> None:
    page.wait_for_selector(f"#learning-done:has-text('{text}')")
    settled(page)


def test_nothing_yet(loop: Site, open_page: Open) -> None:
    page = open_page(loop, "/learning")
    assert "Nothing was retrained yet" in page.locator("#learning-job").inner_text()
    assert page.locator("#learning-curve").is_hidden()
    press(page, "Retrain")
    page.wait_for_selector("#learning-said :text('10 are the least')")
    press(page, "Roll back")
    done(page, "Back to the shipped model")
    press(page, "Roll back")
    done(page, "nothing to roll back to")


def test_a_service_that_cannot_retrain_says_so(site: Site, open_page: Open) -> None:
    page = open_page(site, "/learning")
    assert "start it without --model" in page.locator("#learning-said").inner_text()
    assert page.get_by_role("button", name="Retrain").is_disabled()


def test_without_what_it_needs_it_says_so(
    loop: Site, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "NEEDED", ("nothing_of_this_name",))
    page = open_page(loop, "/learning")
    assert "`train` extra" in page.locator("#learning-said").inner_text()


def test_from_decisions_to_a_model_in_use_and_back(loop: Site, open_page: Open) -> None:
    vet(loop)
    page = open_page(loop, "/learning")
    assert "40" in page.locator("#learning-material").inner_text()
    page.get_by_label("never flagged").select_option("dga")
    press(page, "Retrain")
    page.wait_for_selector("#learning-said:has-text('make 1.0+1 has begun')")
    page.wait_for_selector("#learning-job [aria-current=step]")
    assert page.get_by_role("button", name="Cancel").is_visible()
    page.wait_for_selector("#learning-job strong:text('done')", timeout=WHILE)
    settled(page)
    (job,) = loop.service.retraining.all()["jobs"]
    assert job["who"] == "127.0.0.1"
    assert job["material"]["by_threat"] == {"dga": 40}
    said = page.locator("#learning-report").inner_text()
    for title in ("May it be promoted?", "What it must not lose", "Confusion", "Found at each"):
        assert title in said
    assert page.locator("#learning-curve").is_visible()
    found = loop.service.retraining.find(job["id"]) or {}
    listed = [row["name"] for way in ("stricter", "milder") for row in
              found["report"]["changes"][way]]  # fmt: skip
    links = page.locator("#learning-report .tall a .name").all_inner_texts()
    assert links == listed
    assert barriers(page) == []
    _parts(loop, page)


def _parts(loop: Site, page: Page) -> None:
    press(page, "Put in shadow 1.0+1")
    done(page, "judges beside")
    assert "Nothing was judged by 1.0+1 yet" in page.locator("#learning-shadow").inner_text()
    press(page, "Take out of shadow 1.0+1")
    done(page, "not judge beside")
    press(page, "Promote 1.0+1")
    done(page, "Press again")
    assert loop.service.model.version == "1.0"
    press(page, "Promote now 1.0+1")
    done(page, "1.0+1 is in use")
    assert loop.service.model.version == "1.0+1"
    press(page, "Roll back")
    done(page, "Back to 1.0")
    assert loop.service.model.version == "1.0"
    loop.service.retraining._registry().promote(variant(loop_folder(loop), "0.9"))
    page.reload()
    settled(page)
    press(page, "Promote 1.0")
    press(page, "Promote now 1.0")
    done(page, "1.0 is not promoted")
    said = page.locator("#learning-done").inner_text()
    assert "mlplugin models promote 1.0 --force" in said


def test_going_back_is_one_step_however_often_it_is_pressed_at_once(
    loop: Site, open_page: Open
) -> None:
    loop.service.retraining._registry().promote(variant(loop_folder(loop), "1.1"))
    page = open_page(loop, "/learning")
    page.get_by_role("button", name="Roll back", exact=True).dblclick()
    done(page, "1.0")
    with pytest.raises(MlpluginError, match=r"1\.0 is in use, not 1\.1"):
        loop.service.retraining.rollback(who="ann", version="1.1")
    assert loop.service.model.version == "1.0"


def loop_folder(loop: Site) -> Path:
    return loop.service.retraining._registry().folder.parent


def test_cancelled(loop: Site, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WORKER", "tests.support.worker_stub")
    loop.service.retraining.jobs._recipe = {"stub": "sleep"}
    vet(loop)
    page = open_page(loop, "/learning")
    press(page, "Retrain")
    page.wait_for_selector("#learning-job strong:text('runs')")
    settled(page)
    assert barriers(page) == []
    press(page, "Cancel")
    page.wait_for_selector("#learning-job strong:text('cancelled')")
    assert page.get_by_role("button", name="Cancel").is_hidden()
    # who pressed is answered on its own, which may come after the next look at the job
    page.wait_for_selector("#learning-said:has-text('cancelled')")
    loop.service.retraining.jobs._recipe = {"stub": "error"}
    press(page, "Retrain")
    page.wait_for_selector("#learning-job :text('memory ran out')")
    assert page.locator("#learning-jobs tbody tr").count() == 2


def test_what_a_candidate_thinks_otherwise(loop: Site, open_page: Open) -> None:
    registry = loop.service.retraining._registry()
    registry.add(variant(loop_folder(loop), "1.1"))
    registry.shadow("1.1")
    told = {"shadow_model": "1.1", "shadow_verdict": "malicious", "shadow_score": 44.0,
            "registered_domain": None, "time": int(time.time() * 1e6)}  # fmt: skip
    hostile = (history.SCRIPT, history.IDN)
    rows = (event(number, qname=name, **told) for number, name in enumerate(hostile))
    loop.service.ingest.take("edge-3", ndjson(rows))
    page = open_page(loop, "/learning")
    names = page.locator("#learning-shadow .tall a .name").all_inner_texts()
    assert set(names) == set(hostile)
    assert page.title() != "owned"


def test_a_job_that_is_not_there(loop: Site, open_page: Open) -> None:
    page = open_page(loop, "/learning?job=../../etc")
    assert "no such job" in page.locator("#learning-job").inner_text()


def test_a_report_that_lacks_things_is_shown_as_far_as_it_goes() -> None:
    assert len(report.shown({"refused": None})) == 1
    assert len(report.shown({"guard": {"before": {}}, "roc": [], "changes": {}})) == 2


def test_what_a_line_of_retrainings_lost_is_shown() -> None:
    """Within chance of the model before, and not of the one that all began with."""
    guard = {"before": measured(0.001, 0.5), "after": measured(0.001, 0.495)}
    root = {"version": "<b>0.9", "measured": measured(0.001, 0.53)}
    drawn = report.shown({"guard": guard, "root": root})
    said = html.rendered(drawn)
    assert "&lt;b&gt;0.9" in said
    assert "Since then" in said
    assert said.count('<span class="wrong">worse</span>') == 2  # suspicious or worse, malicious
    alone = report.shown({"guard": guard, "root": {"version": "0.9", "measured": None}})
    assert "Since then" not in html.rendered(alone)


def test_hostile_names_and_reasons_are_text() -> None:
    row = {"name": history.CONTROL, "queries": 3, "before": "benign", "after": "malicious",
           "score_before": 1.0, "score_after": 50.0, "decided": None}  # fmt: skip
    shown = report.shown({"refused": ["\x1b[31m"], "changes": {"stricter": [row], "milder": []}})
    said = html.rendered(shown)
    assert "\x1b" not in said
    assert "[31m" in said


def test_a_candidate_that_learnt_little_is_called_so() -> None:
    old, new = ({"malicious": 32, "found": found, "benign": 0, "let_be": 0} for found in (7, 8))
    none = dict.fromkeys(old, 0)
    held = {"before": none, "after": none}
    decided = {"learnt": {"before": old, "after": new}, "held_back": held}
    said = html.rendered(report.shown({"decided": decided}))
    assert "It learnt little: 8 of 32 malicious names" in said
    learnt = decided | {"learnt": {"before": old, "after": old | {"found": 30}}}
    assert "learnt little" not in html.rendered(report.shown({"decided": learnt}))


def test_changes_say_whether_they_go_the_way_of_decisions() -> None:
    """A name that was vetted as blocked and is flagged now is no harm done."""
    row = {"queries": 3, "before": "benign", "after": "suspicious", "score_before": 1.0,
           "score_after": 25.0}  # fmt: skip
    stricter = [{**row, "name": f"{decided}.net", "decided": decided}
                for decided in ("dga", "benign", None)]  # fmt: skip
    milder = [{**row, "name": "a.net", "decided": "benign"}]
    said = html.rendered(report.shown({"changes": {"stricter": stricter, "milder": milder}}))
    assert "Judged stricter than before: 3, 1 as decided, 1 against a decision" in said
    assert "Judged milder than before: 1, 1 as decided<" in said
    assert "dga, as decided" in said
    assert '<span class="wrong">benign, against it</span>' in said
    assert "worse" not in said


def test_loss_of_each_look() -> None:
    told: list[dict[str, Any]] = [
        {"event": "progress", "fit": fit, "share": share, "passes": 4, "loss": 1 - share}
        for fit in (1, 2)
        for share in (0.25, 1.0)
    ]
    drawn = html.rendered(jobs.curve(told))
    assert drawn.count("<polyline") == 2
    assert "[[1.0,0.75],[4.0,0.0]]" in drawn.replace("&quot;", '"')
    assert "first look" in drawn
    assert "second look" in drawn
    assert jobs.curve([]) is None


def test_which_look_is_fitted_is_told() -> None:
    at = {"event": "progress", "share": 0.5, "pass": 2, "passes": 4, "loss": 0.1, "seconds_left": 3}
    stage = {"event": "stage", "stage": "fit"}
    for fit, look in ((1, "first look"), (2, "second look")):
        said = html.rendered(jobs._under_way([stage, at | {"fit": fit}]))
        assert f"50% of the {look}: pass 2 of 4" in said


def test_a_model_that_is_gone(loop: Site) -> None:
    with pytest.raises(MlpluginError):
        loop.service.retraining.shadow("7.7")
    said, confirm = models.pressed(loop.service, models.SHADOW, "7.7")  # and no way around it
    assert "no model here" in str(said.children)
    assert confirm is None
