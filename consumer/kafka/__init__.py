"""
How any client of this service gets in to Kafka, what aiokafka hides, and what it does not protect us from.
"""
