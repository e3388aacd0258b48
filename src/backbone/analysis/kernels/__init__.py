"""Kernels that fit, score and grade one linear model for each of many groups, compiled by Numba."""
