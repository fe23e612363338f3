"""How a layer behaves at one case: it is run once for all rules, and what they ask about is written down."""
