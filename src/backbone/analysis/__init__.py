"""What is done for every group: kernels and models; and the sentiment of a text."""
