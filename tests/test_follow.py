"""`curate follow` gives no all-clear where it cannot tell, waits for a log, and reads on past lines that are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from curate.__main__ import main
from curate.workspace import Workspace


def _once(path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = main(["follow", str(path), "--once", "--workspace", str(workspace.root)])
    said = capsys.readouterr()
    return code, said.out + said.err


@pytest.mark.parametrize(
    ("lines", "code", "words"),
    [
        (['{"step": 1, "eval_loss": 1.2}', '{"step": 2, "eval_loss": 1.3}'], 0, "Cannot be told with fewer than 5 looks"),
        (['{"step": 1, "eval_loss": 1.0}', '{"step": 2, "eval_loss": 3.0}'], 1, "worse since step 2"),
        (['{"step": 1, "eval_loss": 2.0}', '{"step": 2, "eval_loss": NaN}'], 1, "is no finite number since step 2"),
        (['{"step": 1, "loss": 2.0}', '{"step": 2, "loss": NaN}'], 1, "loss of the rows that it trains on is no finite number"),
        (['{"step": 1, "loss": 2.0}'], 2, "holds no measure on validation rows"),
        ([f'{{"step": {i}, "eval_reward": {5 - i}}}' for i in range(5)], 0, "Not judged, for it is not known whether more is better: reward"),
        (["UserWarning: x", *(f'{{"step": {i}, "eval_loss": {9 - i}}}' for i in range(5)), "{'loss': 2}"], 0, "2 lines of the log are no JSON"),
        ([f'{{"step": {i}, "eval_auc": {0.9 if i < 6 else 0.5}}}' for i in range(9)], 1, "auc of all rows is worse since step 6"),
    ],
)
def test_what_is_told_at_once(lines: list[str], code: int, words: str, tmp_path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    """No all-clear where it cannot be told: of few looks, of values that are no numbers, of metrics of which more may be worse."""
    (tmp_path / "log.jsonl").write_text("".join(f"{line}\n" for line in lines))
    found, said = _once(tmp_path / "log.jsonl", workspace, capsys)
    assert (found, words in said) == (code, True), said
    assert ("Nothing got worse" in said) == ("UserWarning: x" in lines)
    main(["follow", str(tmp_path / "log.jsonl"), "--once", "--json", "--workspace", str(workspace.root)])
    if code != 2:
        json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


@pytest.mark.parametrize("text", ['{"log_history": null}', '{"log_history": 3}', '{"log_hist', '{"log_history": []}'])
def test_a_state_without_a_log_is_no_all_clear(text: str, tmp_path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "trainer_state.json").write_text(text)
    assert _once(tmp_path, workspace, capsys)[0] == 2


def test_a_log_is_awaited_and_followed_through_foreign_lines(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Started before the trainer; then a warning stands in the log, and later looks are still told."""
    out, log = tmp_path / "out", tmp_path / "out" / "log.jsonl"
    looks = [f'{{"step": {i}, "eval_loss": {9 - i}}}\n' for i in range(7)]
    parts = iter([None, "", "".join(looks[:3]), "UserWarning: x\n", "".join(looks[3:]), '{"step": 9, "eval_loss": 30}\n'])

    def write(seconds: float) -> None:
        try:
            part = next(parts)
        except StopIteration:
            raise KeyboardInterrupt from None
        out.mkdir(exist_ok=True)
        if part is not None:
            log.write_text((log.read_text() if log.exists() else "") + part)

    monkeypatch.setattr("curate.probes.follow.time.sleep", write)
    assert main(["follow", str(out), "--workspace", str(workspace.root)]) == 2
    said = capsys.readouterr()
    assert said.err.count("is not there yet") == 1
    assert said.err.count("Line 4 of the log is no JSON and is passed over.") == 1
    assert [line for line in said.out.splitlines() if line.startswith("step")][-1] == "step 9: all loss 30"
    assert "worse since step 9" in said.out
    asked = ["follow", str(tmp_path / "later"), "--version", str(tmp_path / "none"), "--workspace", str(workspace.root)]
    assert main(asked) == 2
    assert "is neither a folder of a Version" in capsys.readouterr().err
