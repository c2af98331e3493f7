"""Settings to adapters: the only package that knows both the stories and the outside."""
