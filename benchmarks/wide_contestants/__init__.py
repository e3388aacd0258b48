"""What the peers do with the files of `wide_contract`."""
