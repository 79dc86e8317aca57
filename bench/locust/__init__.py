"""Load as many users make it, by Locust.

Locust patches the standard library with gevent as it is imported, so only what
a Locust process loads (locustfile.py and what it imports) names it; the command
runs that as a process of its own.
"""
