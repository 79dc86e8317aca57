"""What the doubles say and the rules of their books; pure."""
