"""A DNS firewall that learns: the service, the command line and the model's reader."""

__version__ = "0.1.0"
