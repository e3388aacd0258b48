"""Pictures and pages, made on request: HTML files that open without a network."""
