"""Classification scores from label tensors. Labels run from 1 to num_classes; 0 must be masked out before."""

from typing import Tuple, Union

import torch

EPS = 1e-6


def th_confusion_matrix(y_true: torch.Tensor, y_pred: torch.Tensor, num_classes: int) -> torch.Tensor:
    """int64 (num_classes, num_classes): entry [i, j] counts true class i+1 predicted as class j+1.

    y_true, y_pred: tensors with equally many elements, values 1..num_classes of any dtype.
    Raises: ValueError when the sizes differ or a label is outside 1..num_classes.
    """
    true, pred = y_true.reshape(-1).long() - 1, y_pred.reshape(-1).long() - 1
    if true.numel() != pred.numel():
        raise ValueError(f"{true.numel()} true labels but {pred.numel()} predictions.")
    for name, labels in (("true", true), ("predicted", pred)):
        if labels.numel() and (int(labels.min()) < 0 or int(labels.max()) >= num_classes):
            found = f"{int(labels.min()) + 1}..{int(labels.max()) + 1}"
            raise ValueError(
                f"The {name} labels must lie in 1..{num_classes}, found {found}; mask the unlabelled pixels."
            )
    counts = torch.bincount(true * num_classes + pred.to(true.device), minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def th_overall_accuracy_score(y_true: torch.Tensor, y_pred: torch.Tensor) -> torch.Tensor:
    """Fraction of equal labels, a float64 scalar in 0..1."""
    return (y_true.reshape(-1) == y_pred.reshape(-1)).double().mean()


def th_average_accuracy_score(
    y_true: torch.Tensor, y_pred: torch.Tensor, num_classes: int, return_accuracys: bool = False
) -> Union[torch.Tensor, Tuple[torch.Tensor, torch.Tensor]]:
    """Mean of the recalls, a float64 scalar; with `return_accuracys` also the (num_classes,) recalls.

    1e-6 is added to each class count, as in the original, so an absent class has recall 0 and counts.
    """
    matrix = th_confusion_matrix(y_true, y_pred, num_classes).double()
    recalls = matrix.diag() / (matrix.sum(dim=1) + EPS)
    return (recalls.mean(), recalls) if return_accuracys else recalls.mean()


def th_cohen_kappa_score(y_true: torch.Tensor, y_pred: torch.Tensor, num_classes: int) -> torch.Tensor:
    """Cohen's kappa, a float64 scalar in -1..1 (not a number where chance alone explains everything)."""
    matrix = th_confusion_matrix(y_true, y_pred, num_classes).double()
    total = matrix.sum()
    observed = matrix.diag().sum() / total
    expected = (matrix.sum(dim=0) * matrix.sum(dim=1)).sum() / total**2
    return (observed - expected) / (1 - expected)


def th_intersection_over_union_score(
    y_true: torch.Tensor, y_pred: torch.Tensor, num_classes: int, return_ious: bool = False
) -> Union[torch.Tensor, Tuple[torch.Tensor, torch.Tensor]]:
    """Mean intersection over union, a float64 scalar; with `return_ious` also the (num_classes,) values.

    The union is row sum + column sum - diagonal. The original adds the row sum twice, which is corrected here.
    """
    matrix = th_confusion_matrix(y_true, y_pred, num_classes).double()
    union = matrix.sum(dim=0) + matrix.sum(dim=1) - matrix.diag()
    ious = matrix.diag() / (union + EPS)
    return (ious.mean(), ious) if return_ious else ious.mean()
