"""What is known of batches, receipts and windows: always local, always rebuilt from the receipts."""
