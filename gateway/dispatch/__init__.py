"""From the outbox to the banks: one lane per bank."""
