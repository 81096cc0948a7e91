"""The workshop of audit: following ledgers, comparing results, naming liars."""
