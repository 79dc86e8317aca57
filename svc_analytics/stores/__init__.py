"""Where usage events live."""
