"""Who registered a domain, and when: RDAP (RFC 9082, RFC 9083), what came after WHOIS.

Nothing is asked unless somebody asks for it, and no answer is waited for long.
"""

from __future__ import annotations

from mlplugin.whois.registrations import Registrations, unanswered

__all__ = ["Registrations", "unanswered"]
