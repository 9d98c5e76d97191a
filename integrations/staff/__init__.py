"""How staff log in: lockout, second factor, and the site that asks for both."""
