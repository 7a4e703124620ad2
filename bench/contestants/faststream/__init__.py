"""FastStream 0.7 with httpx, on aiokafka or on confluent-kafka."""
