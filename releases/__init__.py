"""What we ship, how far it has got, and how it comes back."""
