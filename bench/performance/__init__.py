"""What a query costs with the plugin, beside CoreDNS's own log, dnstap and prometheus."""
