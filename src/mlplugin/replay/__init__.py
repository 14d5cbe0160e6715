"""Captured or listed queries, read and sent again through a live DNS server."""
