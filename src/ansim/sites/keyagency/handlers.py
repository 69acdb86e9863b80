"""What this kind of site does when a message arrives."""
