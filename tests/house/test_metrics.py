"""Metrics, alerts, dashboard and documentation speak of the same things."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from flashsale.metrics.names import METRICS

ROOT = Path(__file__).parents[2]
RULES = ROOT / "ops/prometheus/rules.yml"
RULES_TEST = ROOT / "ops/prometheus/rules.test.yml"
DASHBOARD = ROOT / "ops/grafana/flashsale.json"
DOCUMENT = ROOT / "docs/metrics.md"

#: In expressions; file names and ids (flashsale-reconcile, job="flashsale") are no metrics.
NAME = re.compile(r"\bflashsale_[a-z_]+\b")
NAMING = re.compile(r"flashsale(_[a-z]+)+")
ALERTS = re.findall(r"^      - alert: (\w+)$", RULES.read_text(encoding="utf-8"), re.MULTILINE)

#: As they stand in expressions, too: a histogram is several series.
SERIES = set(METRICS) | {
    f"{name}_{part}"
    for name, metric in METRICS.items()
    if metric.kind == "histogram"
    for part in ("bucket", "count", "sum")
}

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is missing (apt-get install prometheus)"
)


def expressions(value: Any) -> list[str]:
    """Every query of the dashboard."""
    if isinstance(value, dict):
        own = [value[key] for key in ("expr", "definition") if isinstance(value.get(key), str)]
        return own + [found for item in value.values() for found in expressions(item)]
    return [found for item in value for found in expressions(item)] if isinstance(value, list) else []


def of_dashboard() -> set[str]:
    return set(NAME.findall(" ".join(expressions(json.loads(DASHBOARD.read_text(encoding="utf-8"))))))


@pytest.mark.parametrize("name", METRICS)
def test_a_name_follows_the_rules_of_prometheus(name: str) -> None:
    metric = METRICS[name]
    assert NAMING.fullmatch(name)
    assert name.endswith("_total") == (metric.kind == "counter")
    assert not name.endswith(("_ms", "_milliseconds", "_percent"))
    bounded = {"sale", "shard", "state", "server", "version", "python"}
    bounded |= {"operation", "status", "command", "answer"}
    assert set(metric.labels) <= bounded, "bounded values alone"
    assert metric.meaning.endswith(".")


@pytest.mark.parametrize("path", [RULES, RULES_TEST], ids=lambda path: str(path.name))
def test_every_metric_of_the_rules_exists(path: Path) -> None:
    named = set(NAME.findall(path.read_text(encoding="utf-8")))
    assert len(named) > 5
    assert named - SERIES == set()


def test_every_metric_of_the_dashboard_exists() -> None:
    named = of_dashboard()
    assert len(named) > 10
    assert named - SERIES == set()


def test_every_metric_that_an_alert_watches_is_on_the_dashboard() -> None:
    asked = re.findall(r"^        expr: (.+)$", RULES.read_text(encoding="utf-8"), re.MULTILINE)
    watched = set(NAME.findall(" ".join(asked)))
    assert len(watched) > 10
    assert watched - of_dashboard() == set()


def test_every_panel_of_the_dashboard_asks_the_source_that_is_chosen() -> None:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    sources = [panel["datasource"]["uid"] for panel in dashboard["panels"]]
    assert set(sources) == {"${datasource}"}
    assert [variable["name"] for variable in dashboard["templating"]["list"]] == ["datasource", "sale"]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_every_metric_is_documented_as_it_is() -> None:
    rows = dict(
        re.findall(r"^\| `(flashsale_\w+)` \| (.+) \|$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    )
    written = {name: [cell.strip() for cell in row.split("|")][:3] for name, row in rows.items()}
    assert written == {
        name: [metric.kind, ", ".join(f"`{label}`" for label in metric.labels) or "–", metric.meaning]
        for name, metric in METRICS.items()
    }


def test_every_alert_has_a_summary_a_severity_and_a_page_that_exists() -> None:
    text = RULES.read_text(encoding="utf-8")
    assert len(ALERTS) == text.count("        expr: ") == text.count("          summary: ")
    severities = re.findall(r"^          severity: (\w+)$", text, re.MULTILINE)
    assert len(severities) == len(ALERTS)
    assert set(severities) == {"critical", "warning"}
    links = re.findall(r"runbook_url: https://\S+/docs/runbook\.md#(\S+)$", text, re.MULTILINE)
    assert links == [alert.lower() for alert in ALERTS], "each has a section of its own"


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_documented_and_tested(alert: str) -> None:
    assert f"`{alert}`" in DOCUMENT.read_text(encoding="utf-8")
    tests = RULES_TEST.read_text(encoding="utf-8").split(f"alertname: {alert}\n")[1:]
    assert any("exp_labels" in test.partition("alertname:")[0] for test in tests), "it fires in no test"


@needs_promtool
@pytest.mark.parametrize(
    "what", [("check", "rules", RULES), ("test", "rules", RULES_TEST)], ids=["check", "test"]
)
def test_promtool_agrees(what: tuple[str, str, Path]) -> None:
    done = subprocess.run(["promtool", *map(str, what)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
@pytest.mark.parametrize("query", sorted(set(expressions(json.loads(DASHBOARD.read_text(encoding="utf-8"))))))
def test_promtool_understands_every_query_of_the_dashboard(query: str, tmp_path: Path) -> None:
    if query.startswith("label_values("):
        return
    rule = tmp_path / "rules.yml"
    rule.write_text(
        json.dumps({"groups": [{"name": "g", "rules": [{"record": "x", "expr": query}]}]}), "utf-8"
    )
    done = subprocess.run(["promtool", "check", "rules", rule], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
