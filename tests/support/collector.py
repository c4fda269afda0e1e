"""A real OpenTelemetry Collector that writes the spans it gets to a file."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import TracebackType

from tests.support import raw_http
from tests.support.prometheus import command, wait_until

CONFIGURATION = """
receivers: {{otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{port}"}}}}}}}}
exporters: {{file: {{path: "{file}", append: true, flush_interval: 100ms}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{traces: {{receivers: [otlp], exporters: [file]}}}}
"""


class Collector:
    """A collector that runs within a `with`, as often as one likes, on the same port and with the same file."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self._received = folder / "received.jsonl"
        self._configuration = folder / "collector.yml"
        self._configuration.write_text(CONFIGURATION.format(port=port, file=self._received))
        self._log = folder / "collector.log"
        self._command = command("otelcol")

    def spans(self) -> int:
        """Return how many spans came so far. They can be so many that to parse them would take half a minute."""
        if not self._received.exists():
            return 0
        with self._received.open() as lines:
            return sum(line.count('"spanId":') for line in lines)

    def __enter__(self) -> Collector:
        with self._log.open("a") as log:
            self._process = subprocess.Popen([self._command, "--config", self._configuration], stderr=log)
        wait_until(self._listens, self._log.read_text)
        return self

    def _listens(self) -> bool:
        try:
            raw_http.connect(("127.0.0.1", self.port)).close()
        except ConnectionRefusedError:
            return False
        return True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End it in order, so that every span that it took is in the file."""
        self._process.terminate()
        try:
            self._process.wait(10)
        finally:
            self._process.kill()
