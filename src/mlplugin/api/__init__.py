"""The service over HTTP: routes, what they take and answer, and who may ask."""

from mlplugin.api.app import create_app

__all__ = ["create_app"]
