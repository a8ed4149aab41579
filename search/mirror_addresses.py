"""Where the MLflow UI shows a search."""

from __future__ import annotations

import json
from urllib.parse import urlencode

VIEW = "mlflow.sharedViewState."  # a tag of the experiment: how its table looks under a link that names it
COLUMNS = (
    "metrics.`val_top1`",
    "tags.`striate.end`",
    "metrics.`parameters`",
    "metrics.`multiply_adds`",
    "tags.`striate.sampler`",
    "tags.`edges`",
)


def search_address(server: str, experiment: str, run: str) -> str:
    """Where the MLflow UI at `server` shows a search, in the view for training models."""
    return f"{server}/#/experiments/{experiment}/runs/{run}?workflowType=machine_learning"


def trials_address(server: str, experiment: str, run: str) -> str:
    """Where the MLflow UI at `server` lists a search's trials, the best first."""
    query = {"workflowType": "machine_learning", "viewStateShareKey": run}
    return f"{server}/#/experiments/{experiment}/runs?{urlencode(query)}"


def trials_view(run: str) -> tuple[str, str]:
    """The tag of the experiment that makes `trials_address` show a search's trials: its name and value."""
    state = {
        "searchFilter": f'tags."mlflow.parentRunId" = "{run}"',
        "orderByKey": "metrics.`val_top1`",
        "orderByAsc": False,
        "selectedColumns": COLUMNS,
    }
    return VIEW + run, json.dumps(state)
