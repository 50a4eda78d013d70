"""How the stream of texts moves away from what the model knows: references, weeks, alerts, estimated precision."""
