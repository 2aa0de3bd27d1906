"""The audit context in task queues: one file for each."""
