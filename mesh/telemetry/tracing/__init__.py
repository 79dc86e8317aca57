"""Traces: which calls are followed, and what is told of their steps.

A call that is not followed costs one look at a context variable a step, and makes no span.
Source: OpenTelemetry specification, "Tracing API"; W3C Trace Context.
"""
