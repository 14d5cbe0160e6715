"""The dashboard: pages for people, on the service's own port.

Importing this package is cheap; `dashboard.app`, which imports Dash, is imported when somebody
first looks at a page.
"""
