"""Asks a cell's cloud which of its alarms ring, with the cloud's own program.

Refuses to take silence for calm: a cloud that cannot be asked stops the deployment.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from tools.deploy_terraform import Run, run_program
from tools.deploy_waves import Document, Failed

_FIRED: Final = "api-version=2019-05-05-preview&monitorCondition=Fired&targetResourceGroup="


class CliAlarms:
    """Both clouds' alarms, by `aws` and `az`, as whoever is signed in there."""

    def __init__(self, run: Run = run_program) -> None:
        self._run = run

    def ringing(self, document: Document) -> Sequence[str]:
        """See `Alarms.ringing`."""
        asks: dict[str, Callable[[Document], list[str]]] = {"aws": self._aws, "azure": self._azure}
        return sorted(asks[document["cloud"]](document))

    def _aws(self, document: Document) -> list[str]:
        ask = ["aws", "cloudwatch", "describe-alarms", "--output", "json", "--state-value", "ALARM"]
        ask += ["--region", document["region"], "--alarm-name-prefix", f"{document['id']}-"]
        return [alarm["AlarmName"] for alarm in self._json(ask)["MetricAlarms"]]

    def _azure(self, document: Document) -> list[str]:
        # In another subscription there is no such group, and its silence would mean nothing.
        name = f"cell-{document['id']}"
        group = self._json(["az", "group", "show", "--name", name, "--output", "json"])
        subscription = group["id"].partition("/resourceGroups/")[0]
        url = f"{subscription}/providers/Microsoft.AlertsManagement/alerts?{_FIRED}{name}"
        found = self._json(["az", "rest", "--method", "get", "--output", "json", "--url", url])
        return [alert["name"] for alert in found["value"]]

    def _json(self, command: list[str]) -> Any:  # noqa: ANN401 - a cloud's answer
        code, out, complaint = self._run(command)
        if code:
            raise Failed(f"{command[0]} cannot say which alarms ring:\n{complaint}")
        return json.loads(out)
