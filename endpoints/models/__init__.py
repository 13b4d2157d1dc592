"""The tables, one aggregate a file; they know nothing of services, REST or pages."""

from endpoints.models.abcount import ABArm, ABLook, ABPhase, ABTraffic, LabelledUnit
from endpoints.models.abtest import ABTest
from endpoints.models.alert import Alert, AlertRule, EmailDelivery
from endpoints.models.batch import BatchJob
from endpoints.models.dataset import Dataset
from endpoints.models.endpoint import ApiKey, Endpoint
from endpoints.models.event import Event
from endpoints.models.membership import Membership
from endpoints.models.monitoring import (
    DriftReport,
    FeatureDrift,
    Monitor,
    StreamChange,
    StreamDetector,
)
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
    "ABArm",
    "ABLook",
    "ABPhase",
    "ABTest",
    "ABTraffic",
    "Alert",
    "AlertRule",
    "AlgorithmVersion",
    "Analysis",
    "ApiKey",
    "BatchJob",
    "Dataset",
    "DriftReport",
    "EmailDelivery",
    "Endpoint",
    "Evaluation",
    "Event",
    "Experiment",
    "FeatureDrift",
    "Feedback",
    "LabelCount",
    "LabelledUnit",
    "Membership",
    "Metric",
    "Monitor",
    "Param",
    "PredictionRequest",
    "PromotionRequest",
    "RollUp",
    "Run",
    "Status",
    "StatusChange",
    "StreamChange",
    "StreamDetector",
    "Tag",
    "Webhook",
    "WebhookDelivery",
]
