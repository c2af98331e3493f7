"""Formats that come as plug-ins: each is found by its entry point, as anyone else's would be."""
