"""The CoreDNS binary: finding it, building it, running it beside the service.

`source`, `toolchain` and `build` use the standard library alone, because the
wheel's build hook imports them where nothing else is installed.
"""
