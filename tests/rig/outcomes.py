"""What becomes of images and messages, by the names that the output topics have in the configuration."""

from consumer.config.kafka import OutputTopics

DECISIONS = tuple(OutputTopics().by_decision)
OUTCOMES = (*DECISIONS, "dead_letter")
