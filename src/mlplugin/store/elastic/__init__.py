"""Elasticsearch and OpenSearch as the store of many sensors and many services.

Events lie in daily indices behind an alias, decisions and their record, what is known of
sensors and leases in small indices of their own. docs/elasticsearch.md tells users of it.
"""

from __future__ import annotations

from mlplugin.store.elastic.place import Place
from mlplugin.store.elastic.store import ElasticStore
from mlplugin.store.options import Options

__all__ = ["ElasticStore", "Options", "Place"]
