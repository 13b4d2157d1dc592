"""The tables, one aggregate a file; they know nothing of services, REST or pages."""

from endpoints.models.endpoint import ApiKey, Endpoint
from endpoints.models.event import Event
from endpoints.models.membership import Membership
from endpoints.models.prediction import Feedback, PredictionRequest
from endpoints.models.roll_up import LabelCount, RollUp
from endpoints.models.run import Analysis, Experiment, Metric, Param, Run, Tag
from endpoints.models.version import (
    AlgorithmVersion,
    Evaluation,
    PromotionRequest,
    Status,
    StatusChange,
)
from endpoints.models.webhook import Webhook, WebhookDelivery

__all__ = [
    "AlgorithmVersion",
    "Analysis",
    "ApiKey",
    "Endpoint",
    "Evaluation",
    "Event",
    "Experiment",
    "Feedback",
    "LabelCount",
    "Membership",
    "Metric",
    "Param",
    "PredictionRequest",
    "PromotionRequest",
    "RollUp",
    "Run",
    "Status",
    "StatusChange",
    "Tag",
    "Webhook",
    "WebhookDelivery",
]
