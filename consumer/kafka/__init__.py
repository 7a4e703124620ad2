"""What aiokafka hides, and what it does not protect us from."""
