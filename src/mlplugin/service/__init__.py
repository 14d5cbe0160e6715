"""What the service does, by use case; it sees ports and the model, no web and no database."""
