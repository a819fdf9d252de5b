"""What a waiting room works out without any server: its shuffle, its speed, what a place is worth, and its lag."""
