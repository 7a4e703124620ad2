"""What the service says of itself: logs, metrics, health. It decides nothing."""
