"""What is fitted before training: standardisation, principal components."""
