"""A run's history as curves: what belongs on one chart, because it has one unit."""

from typing import Any, Dict, List

_LARGEST = 1e30  # no loss is larger; differences of two values stay finite

# kind of a chart: its title and the label of its axis
KINDS = {
    "losses": ("Losses", "loss"),
    "accuracies": ("Accuracies", "accuracy, %"),
    "rates": ("Learning rate", "learning rate"),
    "others": ("Other values", "value"),
}


def curves(history: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """Charts as {kind, title, unit, series: [{name, steps, values}]}; what is no number is left out.

    Accuracies are fractions. Charts without a series are left out, so the list may be empty.
    """
    series: Dict[str, Dict[str, Any]] = {}
    for entry in sorted((entry for entry in history if _is_number(entry["step"])), key=lambda entry: entry["step"]):
        for name, value in entry.items():
            if name != "step" and _is_number(value):
                line = series.setdefault(name, {"name": name, "steps": [], "values": []})
                line["steps"].append(entry["step"])
                line["values"].append(value)
    charts = []
    for kind, (title, unit) in KINDS.items():
        members = [series[name] for name in sorted(series) if _kind(series[name]) == kind]
        if members:
            charts.append({"kind": kind, "title": title, "unit": unit, "series": members})
    return charts


def _kind(line: Dict[str, Any]) -> str:
    name = line["name"].lower()
    if "loss" in name:
        return "losses"
    if name == "lr" or "learning_rate" in name:
        return "rates"
    return "accuracies" if all(0 <= value <= 1 for value in line["values"]) else "others"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _LARGEST
