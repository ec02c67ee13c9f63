"""RUN folders, metrics against the truth, the picture and the report."""
