"""What is asked of the engine, and where each request is: requests, tasks, sequences, the queue, events."""
