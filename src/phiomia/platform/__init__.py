"""What every part stands on: configuration, database, jobs, bus, storage; knows nothing of social networks."""
