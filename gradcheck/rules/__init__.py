"""What a right backward keeps, one module per family."""
