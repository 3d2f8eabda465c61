"""Errors to Sentry, spans to OpenTelemetry: where set, and their packages are installed."""

import logging

from flask import Flask

from config import Settings

log = logging.getLogger(__name__)


def configure(app: Flask, settings: Settings) -> None:
    try:
        if settings.sentry_dsn:
            _report_errors(settings.sentry_dsn)
        if settings.otel_exporter_otlp_endpoint:
            _report_spans(app)
    except ImportError as error:
        log.warning("%s is not installed: see docs/operations.md", error.name)


def _report_errors(dsn: str) -> None:
    import sentry_sdk
    from sentry_sdk.integrations.logging import ignore_logger

    sentry_sdk.init(dsn, send_default_pii=False, include_local_variables=False)
    ignore_logger("taskapp.web.request_log")  # the error itself was reported before


def _report_spans(app: Flask) -> None:
    """The exporter reads the other OTEL_ variables by itself."""
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.flask import FlaskInstrumentor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    FlaskInstrumentor().instrument_app(app)
