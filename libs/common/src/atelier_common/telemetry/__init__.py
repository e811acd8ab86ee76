"""Traces and metrics by the OpenTelemetry API: every name in one place, next to no cost where nobody listens."""
