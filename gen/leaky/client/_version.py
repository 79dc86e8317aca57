"""The version that this client was made with.

Generated from proto/ by `make gen`; not to be edited.
"""

__version__ = "0.1.0"
