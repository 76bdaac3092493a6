"""Preprocessing that is fitted before training: standardisation, principal components."""
