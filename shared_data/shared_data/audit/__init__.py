"""Audit which labels and spectra influence a method: train and predict on altered scenes, compare, report the evidence.

    test_labels        with the labels of test pixels altered, are weights, selection and prediction the same?
    gap_labels         the same for labelled pixels in no set
    validation_labels  with these altered, are the weights after the last step the same?
    test_spectra       with the spectra of test pixels altered, before training and before predicting
    control            what must change a result: the spectra, the training labels; and what a method knows besides
    openings           who opens sealed labels, or reads the scene, before the final evaluation
    context            distances from test pixels to those that train and validate
    split              are the sets disjoint and labelled, and do they equal the official code's?

It calls a method as `reproduce` does, and knows no more of it.
"""

from shared_data.audit.examine import examine
from shared_data.audit.finding import Finding
from shared_data.audit.golden_splits import GoldenSplit, find_golden, load_golden
from shared_data.audit.tables import Audit, as_markdown, as_record, as_text
from shared_data.evaluation.weights import weights_sha256
from shared_data.records.audit_file import add_to_record, read_audit, write_audit

__all__ = [
    "Audit",
    "Finding",
    "GoldenSplit",
    "add_to_record",
    "as_markdown",
    "as_record",
    "as_text",
    "examine",
    "find_golden",
    "load_golden",
    "read_audit",
    "weights_sha256",
    "write_audit",
]
