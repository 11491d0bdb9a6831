"""ringlog's benchmarks: ``python -m bench VERB``, one verb for one question."""
