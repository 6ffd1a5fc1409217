"""Which way a metric is better, by its name: loss and eval_code_loss down, macro_f1 and roc_auc up; of a name that does not tell, neither."""

from __future__ import annotations

import re

__all__ = ["higher_is_better", "parted"]

LOWER = "loss nll perplexity ppl wer cer ter mer mse rmse mae mape error error_rate brier ece bits_per_byte bits_per_token bpb"
HIGHER = (
    "accuracy accuracies acc f1 auc auroc auprc recall precision average_precision specificity sensitivity mcc matthews_correlation kappa r2 iou em "
    "exact_match pass bleu sacrebleu chrf meteor bertscore rouge rouge1 rouge2 rougel rougelsum ndcg mrr map hit_rate win_rate"
    " pearson pearsonr spearman spearmanr"
)
OF_A_KIND = r"(?:(?:macro|micro|weighted|balanced|roc|pr|mean|mean_token|token|average|nll|top_?\d+|word|char)[_ -])*"
AVERAGED = r"(?:[_ -](?:macro|micro|weighted|samples|score|mean|avg|ovr|ovo|norm|\d+)|(?:_at_?|@|_?k)\d+)*"
_KNOWN = {False: LOWER.split(), True: HIGHER.split()}
_NAME = {
    up: re.compile(rf"(?:(?P<before>.+?)[_/ .-])??(?P<metric>{OF_A_KIND}(?:{'|'.join(sorted(names, key=len, reverse=True))}){AVERAGED})", re.IGNORECASE)
    for up, names in _KNOWN.items()
}


def higher_is_better(metric: str) -> bool | None:
    """Whether more of a metric is better; None where its name does not tell."""
    return next((up for up, name in _NAME.items() if name.fullmatch(metric)), None)


def parted(name: str) -> tuple[str, str]:
    """What stands before a known metric in a name, and the metric: ("code", "macro_f1") of code_macro_f1; ("", name) of any other name."""
    found = next((match for pattern in _NAME.values() if (match := pattern.fullmatch(name))), None)
    return (found["before"] or "", found["metric"]) if found else ("", name)
