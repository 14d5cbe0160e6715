"""What Prometheus is told; names and clients are never labels."""

from __future__ import annotations

import time
from collections.abc import Iterator

from flask import Flask, Response, g, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mlplugin.errors import StoreError
from mlplugin.service.service import Service

MOST_SENSORS = 1000


disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """The service's metrics, in a registry of their own."""

    def __init__(self, service: Service) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._registry.register(_FromStore(service))
        self.events = Counter(
            "mlplugin_ingest_events_total",
            "Events of sensors, by what became of them.",
            ["result"],
            registry=self._registry,
        )
        self.batches = Counter(
            "mlplugin_ingest_batches_total",
            "Batches of sensors, by what became of them.",
            ["result"],
            registry=self._registry,
        )
        self._requests = Histogram(
            "mlplugin_http_request_duration_seconds",
            "Requests, from the first byte read to the answer.",
            ["route", "method", "status"],
            registry=self._registry,
        )
        for result in ("stored", "known", "refused"):
            self.events.labels(result)
        for result in ("stored", "rejected", "unavailable"):
            self.batches.labels(result)

    def register(self, app: Flask) -> None:
        """Time every request of the application."""

        @app.before_request
        def begin() -> None:
            g.began = time.perf_counter()

        @app.after_request
        def end(response: Response) -> Response:
            route = str(request.url_rule) if request.url_rule else "none"
            method = request.method if request.url_rule else "other"
            taken = time.perf_counter() - g.get("began", time.perf_counter())
            self._requests.labels(route, method, str(response.status_code)).observe(taken)
            return response

    def text(self) -> Response:
        """Answer a scrape."""
        return Response(generate_latest(self._registry), content_type=CONTENT_TYPE_LATEST)


class _FromStore(Collector):
    """What the store knows, asked at each scrape; nothing while it does not answer."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def describe(self) -> Iterator[Metric]:
        """Name nothing beforehand, so that registering asks no store."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Ask."""
        up = GaugeMetricFamily("mlplugin_store_up", "Whether the store answers.")
        try:
            self._service.store.check()
            size = self._service.history.size()
            sensors = self._service.store.sensors()[:MOST_SENSORS]
            overrides = len(self._service.vetting.all())
        except StoreError:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        yield GaugeMetricFamily("mlplugin_store_bytes", "Disk in use by the history.", size.bytes)
        yield GaugeMetricFamily("mlplugin_store_rows", "Events in the history.", size.rows)
        yield GaugeMetricFamily("mlplugin_overrides", "Decisions that hold.", overrides)
        model = GaugeMetricFamily(
            "mlplugin_model_info", "The model of the service.", labels=["version"]
        )
        model.add_metric([self._service.model.version], 1)
        yield model
        served = CounterMetricFamily(
            "mlplugin_sensor_served", "Queries that a sensor says it served.", labels=["sensor"]
        )
        stored = CounterMetricFamily(
            "mlplugin_sensor_stored", "Events of a sensor that were stored.", labels=["sensor"]
        )
        dropped = CounterMetricFamily(
            "mlplugin_sensor_dropped",
            "Events that a sensor says it gave up.",
            labels=["sensor", "reason"],
        )
        for sensor in sensors:
            served.add_metric([sensor.name], sensor.served)
            stored.add_metric([sensor.name], sensor.stored)
            for reason, count in sensor.dropped.items():
                dropped.add_metric([sensor.name, reason], count)
        yield from (served, stored, dropped)
