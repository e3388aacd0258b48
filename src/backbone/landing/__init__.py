"""From the source to persistent landing: collect, take over, record in the manifest."""
