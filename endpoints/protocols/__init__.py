"""The wire formats of other model servers: plain views over the one way to a prediction."""
