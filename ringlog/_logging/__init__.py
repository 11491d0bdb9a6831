"""What `ringlog.logging` is made of. Use that."""
