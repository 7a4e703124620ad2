"""
Made-up records and answers through a real Kafka and the service, far more of them than the tests play.
"""
