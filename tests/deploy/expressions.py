"""Which series a PromQL expression asks for. No parser: promtool has checked that the expressions are right."""
import re

SELECTOR = re.compile(r"\b(up|ALERTS|ipp(?::\w+)+|(?:ipp|grpc|process)_\w+)\b(?!\s*\()(?:\{([^}]*)\})?")
GROUPING = re.compile(r"\bby \(([^)]*)\)")
MATCHER = re.compile(r"(\w+)\s*(=~|!~|!=|=)\s*\"([^\"]*)\"")
SERIES = re.compile(r"^(\w+)(?:\{(.*)\})? \S+$")
# Prometheus adds these when it scrapes.
ADDED = {"instance", "job", "namespace", "pod"}


def selectors(expression):
    """(metric, [(label, operator, value)]) of each selector."""
    for metric, matchers in SELECTOR.findall(GROUPING.sub("", expression)):
        yield metric, MATCHER.findall(matchers)


def grouped(expression):
    return {label.strip() for labels in GROUPING.findall(expression) for label in labels.split(",")}


def series(text):
    """Metric → label sets, of a page of /metrics."""
    found = {}
    for line in text.splitlines():
        match = SERIES.match(line)
        if match:
            labels = dict(re.findall(r'(\w+)="([^"]*)"', match[2] or ""))
            found.setdefault(match[1], []).append(labels)
    return found


def complaints(expression, known):
    """What of an expression can never be found in `known`, a line each."""
    asked = list(selectors(expression))
    if not asked:
        yield f"asks for nothing: {expression}"
    labels_of_all = set(ADDED)
    for metric, matchers in asked:
        if metric in ("up", "ALERTS"):
            continue
        if metric not in known:
            yield f"{metric} is no metric of the gateway, and no rule records it"
            continue
        for labels in known[metric]:
            labels_of_all |= set(labels)
        for label, operator, value in matchers:
            if label in ADDED:
                continue
            values = {labels.get(label) for labels in known[metric]} - {None}
            if not values:
                yield f"{metric} has no label {label}"
            for one in value.split("|") if operator in ("=~", "!~") else [value]:
                if values and not any(re.fullmatch(one, known_value) for known_value in values):
                    yield f"{metric} is never {label}={one}, but {', '.join(sorted(values))}"
    for label in grouped(expression) - labels_of_all:
        yield f"no metric of {expression} has the label {label}"
