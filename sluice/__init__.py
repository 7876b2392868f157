"""Move bounded windows of Kafka offsets into Arize AX, once, with proof. Knows no Prefect."""
