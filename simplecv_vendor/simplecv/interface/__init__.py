"""Base classes that projects derive from."""

from simplecv.interface.configurable import ConfigurableMixin
from simplecv.interface.learning_rate import LearningRateBase
from simplecv.interface.module import CVModule

__all__ = ["CVModule", "ConfigurableMixin", "LearningRateBase"]
