"""The workshop of jobs: the submitter's story and the builder's story."""
