"""What stands at the door of the REST edge."""
