"""The load of this machine during a training, as MLflow's system metrics, when its own variable asks for them.

With MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING MLflow starts a thread for a run that the training's process opens itself.
Here the grid opens the runs of the trainings, so MLflow starts none, and the grid reads MLflow's monitors instead.
"""

from typing import TYPE_CHECKING

from ddpm.errors import StudyError

if TYPE_CHECKING:  # imported late: mlflow takes seconds
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

PREFIX = "system/"  # MLflow's page shows such metrics in a tab of their own


class Gauge:
    """Reads the load; the first reading only begins the interval that the second is about."""

    def __init__(self) -> None:
        self._monitor: SystemMetricsMonitor | None = None

    def read(self) -> dict[str, float]:
        """The load since the last reading; empty if nobody asks for it; StudyError if the variable is no yes or no."""
        from mlflow.environment_variables import MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        try:
            asked = MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING.get()
        except ValueError as error:
            raise StudyError(str(error), hint="set it to true or false") from error
        if not asked:
            return {}
        first = self._monitor is None
        # it is never started, so it sends nothing; the address only keeps it from making a store of its own
        monitor = self._monitor = self._monitor or SystemMetricsMonitor("", tracking_uri="sqlite://")
        monitor.collect_metrics()
        shown = monitor.aggregate_metrics()
        for part in monitor.monitors:
            part.clear_metrics()
        return {} if first else {f"{PREFIX}{name}": float(value) for name, value in shown.items()}
