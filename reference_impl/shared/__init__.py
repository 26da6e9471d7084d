"""What every service is built from: settings, events, bus, outbox, inbox, problems, health, faults, logs."""
