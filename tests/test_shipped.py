"""The family that ships: which tabs it serves, and that the others say so before anything runs."""

import json
from pathlib import Path

import pytest

import cli
from conditions import CONDITIONS
from models.store import Store
from pipelines import home

SHIPPED = Path(__file__).parents[1] / "weights"
WITHOUT_CONTROL = ("lineart_anime", "shuffle", "ip2p", "qr")


def test_the_built_in_family_serves_eleven_tabs_and_says_that_it_does_not_serve_the_others() -> None:
    store = Store(SHIPPED)
    lacking = {name: home.lacking(store, "pocket", name) for name in CONDITIONS}
    assert tuple(name for name, words in lacking.items() if words) == WITHOUT_CONTROL
    for name in WITHOUT_CONTROL:
        assert f"Pocket has no control for {CONDITIONS[name].title}" in lacking[name]
        assert "allowed: Stable Diffusion 1.5" in lacking[name]
        assert "Choose another model family or another tab" in lacking[name]


@pytest.mark.parametrize("name", WITHOUT_CONTROL)
def test_the_command_line_says_so_before_it_opens_the_picture(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    code = cli.main(
        [
            *("generate", "--condition", name, "--model", "pocket", "--image", str(tmp_path / "gone.png")),
            *("--prompt", "x", "--out", str(out), "--weights", str(SHIPPED), "--json"),
        ]
    )
    error = json.loads(capsys.readouterr().out)["error"]
    assert (code, error["code"]) == (1, "MODEL_MISSING")
    assert f"Pocket has no control for {CONDITIONS[name].title}" in error["message"]
    assert not out.exists()
