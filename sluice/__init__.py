"""Load Kafka records into Arize AX in bounded windows, and account for every offset. Knows no Prefect."""
