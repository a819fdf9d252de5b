"""A crowd over HTTP: buyers who arrive by themselves, what each of them does, and whether what they were told is true."""
