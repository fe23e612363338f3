"""What a check looks at: shapes, values, and the plans that give them."""
