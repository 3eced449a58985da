#!/usr/bin/env python3
"""deploy/observability: rules that Prometheus takes and that fire when they should, a dashboard, and not a metric in
them that the gateway does not have; and a word in the runbook for each alarm."""
import functools
import json
import os
import pathlib
import re
import tempfile
import unittest

import yaml

import bed
import expressions
import ipp_kit

HERE = pathlib.Path(__file__).parent
OBSERVABILITY = bed.DEPLOY / "observability"
RUNBOOK = "https://git.example.com/ipp-gateway/blob/main/deploy/README.md"
# File → its unit tests.
RULES = {"alerts.yaml": "alarms_unit.yaml", "slo.yaml": "slo_unit.yaml"}


def rules_of(text):
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


ALL_RULES = [rule for name in RULES for rule in rules_of((OBSERVABILITY / name).read_text())]
ALARMS = [rule for rule in ALL_RULES if "alert" in rule]
RECORDED = [rule for rule in ALL_RULES if "record" in rule]
DASHBOARD = json.loads((OBSERVABILITY / "dashboard.json").read_text())
# Counters that a gateway without PostgreSQL does not have: by their place in the source.
ONLY_WITH_POSTGRES = {"ipp_store_reconnects_total": [{"connection": "writer"}],
                      "ipp_store_clock_difference_seconds": [{}]}
# And one without TLS.
ONLY_WITH_A_SHARED_SUBSCRIPTION = {
    f"ipp_shared_{name}": [{"caller": "shop", "subscription": "orders"}]
    for name in ("backlog_events", "oldest_unsettled_seconds", "out", "held", "parked")}
ONLY_WITH_TLS = {"ipp_tls_certificate_expiry_seconds": [{"certificate": "grpc"}],
                 "ipp_tls_certificate_begin_seconds": [{"certificate": "grpc"}]}


def recorded():
    """What the rules record, as `metrics` has what a gateway shows."""
    levels = [rule["labels"] for rule in RECORDED if rule["record"] == "ipp:slo_objective:ratio"]
    found = {}
    for rule in RECORDED:  # without labels of its own it has those of what it is made of
        own = [rule["labels"]] if "labels" in rule else levels if ":slo_" in rule["record"] else [{}]
        found.setdefault(rule["record"], []).extend(own)
    return found


def promtool(*arguments):
    return bed.run(bed.tool("bin/promtool"), *arguments)


def panels():
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def dashboard_expressions():
    """As Prometheus would get them."""
    for panel in panels():
        for target in panel["targets"]:
            yield target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".*")


def work(gateway):
    """A payment, a cancel and a mistake."""
    def ctl(*arguments, succeeds=True):
        done = bed.run(ipp_kit.binary(bed.BUILD, "ippctl"), "--address", gateway.grpc, *arguments,
                       env={**os.environ, "IPPCTL_CONFIG": "/dev/null"})
        assert (done.returncode == 0) == succeeds, (arguments, done.stderr)
        return done.stdout

    def made(field, *arguments):
        return re.search(rf'"{field}": *"([^"]+)"', ctl(*arguments, "-o", "json"))[1]

    device = made("id", "simulate", "device", "--name", "Till 1")
    create = ("sessions", "create", "--device", device, "--amount", "100", "--currency", "SEK",
              "--reference", "SHOP-1001")
    paid = made("session_id", *create)
    ctl("simulate", "tap", paid)
    ctl("sessions", "watch", paid)
    ctl("sessions", "cancel", made("session_id", *create))
    ctl("sessions", "get", "no-such-session", succeeds=False)


@functools.lru_cache(None)
def pages():
    """What a real gateway shows when it has just started, and after some work; with what only PostgreSQL brings."""
    with ipp_kit.Bed(bed.BUILD) as real:
        real.start_simulator()
        gateway = real.start_gateway()
        real.webhooks_to(gateway)
        found = [expressions.series(gateway.metrics())]
        work(gateway)
        found.append(expressions.series(gateway.metrics()))
        real.keep("scrape")
    source = "".join((bed.ROOT / "server" / name).read_text()
                     for name in ["store/queued_store.cc", "store/postgres/store.cc", "app_files.cc",
                                  "shared/shared_hub_watch.cc"])
    for name, labels in {**ONLY_WITH_POSTGRES, **ONLY_WITH_TLS, **ONLY_WITH_A_SHARED_SUBSCRIPTION}.items():
        assert f'"{name}"' in source, name
        for page in found:
            assert name not in page, name
            page[name] = labels
    return found


def fresh_metrics():
    return pages()[0]


def metrics():
    return pages()[1]


class Alarms(unittest.TestCase):
    def test_are_rules_that_prometheus_takes(self):
        for name in RULES:
            done = promtool("check", "rules", OBSERVABILITY / name)
            self.assertEqual(0, done.returncode, done.stderr)
            found = len(rules_of((OBSERVABILITY / name).read_text()))
            self.assertIn(f"{found} rules found", done.stdout)

    def test_fire_when_they_should_and_not_before(self):
        for name in RULES.values():
            done = promtool("test", "rules", HERE / name)
            self.assertEqual(0, done.returncode, done.stdout + done.stderr)

    def test_have_a_case_each_in_which_they_fire(self):
        fired = {name for file in RULES.values() for name in re.findall(r'alertname="(\w+)"', (HERE / file).read_text())}
        self.assertEqual({alarm["alert"] for alarm in ALARMS}, fired)

    def test_go_by_metrics_that_a_gateway_has_from_its_start(self):
        """`increase` does not see the first step of a counter that appears with it."""
        self.assertTrue(list(expressions.complaints("rate(ipp_not_there_total[5m])", fresh_metrics())))
        recorded = {rule["record"] for rule in RECORDED}
        for rule in ALL_RULES:
            expression = rule["expr"]
            asked = set(re.findall(r"\bipp:\w+(?::\w+)+", expression))
            self.assertLessEqual(asked, recorded, expression)
            if not asked and not expression.startswith("vector("):
                self.assertEqual([], list(expressions.complaints(expression, fresh_metrics())), expression)

    def test_have_an_entry_each_in_the_runbook(self):
        text = (bed.DEPLOY / "README.md").read_text()
        entries = dict(re.findall(r"^### (Ipp\w+)\n+((?:(?!#).*\n)+)", text, re.M))
        self.assertEqual({alarm["alert"] for alarm in ALARMS}, set(entries))
        for alarm in ALARMS:
            name = alarm["alert"]
            self.assertEqual(f"{RUNBOOK}#{name.lower()}", alarm["annotations"]["runbook_url"])
            self.assertGreater(len(entries[name].split()), 20, f"{name} says next to nothing")
            self.assertIn(alarm["labels"]["severity"], ("page", "ticket"), name)

    def test_are_the_same_for_the_prometheus_operator(self):
        made = bed.run(OBSERVABILITY / "prometheusrule.sh").stdout
        kept = bed.KUBERNETES / "components/monitoring/prometheusrule.yaml"
        self.assertEqual(made, kept.read_text(), f"make it anew: deploy/observability/prometheusrule.sh > {kept}")
        self.assertEqual(ALL_RULES, [rule for group in yaml.safe_load(made)["spec"]["groups"] for rule in group["rules"]])

    def test_have_the_runbook_where_the_operator_of_the_gateway_puts_it(self):
        """In one file for Prometheus by a script, in the cluster by one line of an overlay."""
        mine = "https://wiki.example.org/a&b/ipp"
        made = bed.run(OBSERVABILITY / "rules.sh", env={**os.environ, "RUNBOOK": mine}).stdout
        urls = [rule["annotations"]["runbook_url"] for rule in rules_of(made) if "alert" in rule]
        self.assertEqual([f"{mine}#{alarm['alert'].lower()}" for alarm in ALARMS], urls)
        self.assertEqual(ALL_RULES, rules_of(bed.run(OBSERVABILITY / "rules.sh").stdout))
        documents = bed.overlay("single", "sed -i 's|url: .*|url: https://wiki.example.org/ipp|' "
                                "../../components/monitoring/runbook.yaml")
        [rule] = bed.of_kind(documents, "PrometheusRule")
        urls = [one["annotations"]["runbook_url"] for group in rule["spec"]["groups"] for one in group["rules"]
                if "alert" in one]
        self.assertEqual([f"https://wiki.example.org/ipp#{alarm['alert'].lower()}" for alarm in ALARMS], urls)
        self.assertEqual([], [one for one in documents if one["metadata"]["name"] == "runbook"])


class Dashboard(unittest.TestCase):
    def test_asks_what_prometheus_understands(self):
        rules = [{"record": f"panel:{number}", "expr": expression}
                 for number, expression in enumerate(dashboard_expressions())]
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}, file)
            file.flush()
            done = promtool("check", "rules", file.name)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertGreater(len(rules), 30)

    def test_goes_by_metrics_that_the_gateway_has(self):
        for expression in dashboard_expressions():
            self.assertEqual([], list(expressions.complaints(expression, {**metrics(), **recorded()})), expression)

    def test_shows_service_levels_as_they_are(self):
        """An hour in which one read of a hundred fails, and every create succeeds; a subscriber is late all the time."""
        calls = 'grpc_server_handled_total{job="ipp-gateway",grpc_method="%s",grpc_code="%s",instance="a"}'
        series = [{"series": calls % method, "values": f"0+{each}x120"} for method, each in (
            (("GetSession", "OK"), 990), (("GetSession", "Internal"), 10), (("CreateSession", "OK"), 100),
            (("CreateSession", "Unknown"), 0))]
        series.append({"series": 'ipp_events_slowest_lag_seconds{job="ipp-gateway",instance="a"}', "values": "45x120"})
        burn = {"reads": 10, "creates": 0, "delivery": 100}
        expected = {
            "Reads and creates that succeed": [{"reads": 0.99, "creates": 1}, {"reads": 0.999, "creates": 0.999}],
            "Delivery lag, against the promise": [{"": 45}],
            "Burn rate of the error budgets": [burn, burn, burn],
            "Error budget left, of 30 days": [{slo: 1 - rate for slo, rate in burn.items()}]}
        by_title = {panel["title"]: panel for panel in panels()}
        tests = []
        for title, values in expected.items():
            targets = by_title[title]["targets"]
            self.assertEqual(len(values), len(targets), title)
            for target, samples in zip(targets, values):
                tests.append({"expr": f"round({target['expr']}, 0.0001)", "eval_time": "90m", "exp_samples": [
                    {"labels": f'{{slo="{slo}"}}' if slo else "{}", "value": value} for slo, value in samples.items()]})
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "panels.yaml")
            path.write_text(json.dumps({"rule_files": [str(OBSERVABILITY / "slo.yaml")], "evaluation_interval": "1m",
                                        "tests": [{"interval": "1m", "input_series": series, "promql_expr_test": tests}]}))
            done = promtool("test", "rules", path)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)

    def test_has_panels_that_do_not_overlap(self):
        taken = {}
        self.assertEqual(len(DASHBOARD["panels"]), len({panel["id"] for panel in DASHBOARD["panels"]}))
        for panel in DASHBOARD["panels"]:
            place = panel["gridPos"]
            for x in range(place["x"], place["x"] + place["w"]):
                for y in range(place["y"], place["y"] + place["h"]):
                    self.assertLess(x, 24)
                    self.assertIsNone(taken.get((x, y)), panel["title"])
                    taken[x, y] = panel["id"]


class Autoscaler(unittest.TestCase):
    def test_asks_for_metrics_that_the_gateway_has_and_the_adapter_offers(self):
        [scaler] = bed.of_kind(bed.overlay("replicated"), "HorizontalPodAutoscaler")
        asked = {one["pods"]["metric"]["name"] for one in scaler["spec"]["metrics"] if one["type"] == "Pods"}
        adapter = yaml.safe_load((OBSERVABILITY / "prometheus-adapter.yaml").read_text())
        offered = {rule["seriesQuery"].partition("{")[0] for rule in adapter["rules"]}
        self.assertEqual(asked, offered)
        self.assertLessEqual(asked, set(metrics()))


class Teeth(unittest.TestCase):
    """The check of names says no to what the gateway does not have."""

    def refused(self, expression, words):
        found = list(expressions.complaints(expression, {**metrics(), **recorded()}))
        self.assertTrue(any(words in line for line in found), found)

    def test_a_misspelt_metric_label_or_value_is_refused(self):
        self.refused("rate(ipp_webhook_total[5m])", "ipp_webhook_total is no metric")
        self.refused('rate(ipp_webhooks_total{reason="accepted"}[5m])', "has no label reason")
        self.refused('rate(ipp_webhooks_total{result=~"accepted|badsignature"}[5m])', "never result=badsignature")
        self.refused("sum by (queues) (ipp_store_queue_depth)", "label queues")
        self.refused("vector(1)", "asks for nothing")
        self.refused("ipp:slo_errors:ratio_rate7d", "ipp:slo_errors:ratio_rate7d is no metric")
        self.refused('ipp:slo_objective:ratio{slo="writes"}', "never slo=writes")

    def test_a_rule_with_an_unknown_field_is_refused(self):
        text = (OBSERVABILITY / "alerts.yaml").read_text()
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(text.replace("for: 15m", "fur: 15m", 1))
            file.flush()
            self.assertNotEqual(0, promtool("check", "rules", file.name).returncode)


if __name__ == "__main__":
    unittest.main()
