"""What the alarms are worth: other limits on past data, and the evidence for models."""
