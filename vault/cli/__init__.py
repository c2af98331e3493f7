"""The front door: parse, call one story, render, exit."""
