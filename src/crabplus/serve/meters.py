"""Numbers of the endpoint for Prometheus."""

from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, generate_latest

__all__ = ["Meters"]


class Meters:
    """Counts requests and tokens, and looks at the engine when it is asked."""

    KIND = CONTENT_TYPE_LATEST

    def __init__(self, engine: Any) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter("crabplus_requests", "Chat completions by HTTP status.", ["status"],
                                 registry=self._registry)  # fmt: skip
        self._tokens = Counter("crabplus_generated_tokens", "Tokens that were generated.", registry=self._registry)
        for name, words, read in (
            ("crabplus_requests_waiting", "Requests that wait for the model.", lambda: engine.queued),
            ("crabplus_requests_running", "Requests that are answered now.", lambda: engine.running),
            ("crabplus_batches", "Batches that were begun.", lambda: engine.batches),
        ):
            Gauge(name, words, registry=self._registry).set_function(read)

    def answered(self, status: int) -> None:
        """A completion was answered, or its stream begun."""
        self._requests.labels(str(status)).inc()

    def said(self, tokens: int) -> None:
        """So many tokens were generated for an answer."""
        self._tokens.inc(tokens)

    def text(self) -> bytes:
        """All numbers in Prometheus' form."""
        return bytes(generate_latest(self._registry))
