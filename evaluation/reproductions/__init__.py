"""Published claims and tables, one a file: each has ``run() -> Markdown`` and is made by one command."""
