"""Ways to run the services: in one process now, in a process each later. Only this layer knows more than one service."""
