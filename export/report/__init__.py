"""What is told of a file: in text, tables, pictures and a page."""
