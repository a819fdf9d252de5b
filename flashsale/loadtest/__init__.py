"""A crowd over HTTP: buyers who arrive by themselves, what each of them does, and whether they were told the truth."""
