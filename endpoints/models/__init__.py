"""The tables, one aggregate a file; they know nothing of services, REST or pages."""

from endpoints.models.endpoint import ApiKey, Endpoint
from endpoints.models.event import Event
from endpoints.models.prediction import Feedback, PredictionRequest
from endpoints.models.run import Analysis, Experiment, Metric, Param, Run, Tag
from endpoints.models.version import AlgorithmVersion, Status, StatusChange

__all__ = [
    "AlgorithmVersion",
    "Analysis",
    "ApiKey",
    "Endpoint",
    "Event",
    "Experiment",
    "Feedback",
    "Metric",
    "Param",
    "PredictionRequest",
    "Run",
    "Status",
    "StatusChange",
    "Tag",
]
