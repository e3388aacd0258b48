"""From a raw file to a typed table that conforms to its contract, and the quarantine beside it."""
