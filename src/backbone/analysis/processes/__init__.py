"""Any scikit-learn estimator, one per group, in worker processes that speak Arrow."""
