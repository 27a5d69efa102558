"""Settings: flags over environment over defaults; a share link and a Space are public."""

import os
from pathlib import Path

import pytest

import settings
from errors import ArmatureError


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WEIGHTS", "OUTPUTS", "MODEL", "DEVICE", "PROFILE", "SAFETY", "MEMORY", "MEMORY_MODE"):
        monkeypatch.delenv(f"ARMATURE_{name}", raising=False)
    monkeypatch.delenv("SPACE_ID", raising=False)


def test_the_defaults_are_local() -> None:
    chosen = settings.from_command_line([])
    assert (chosen.host, chosen.port, chosen.profile) == ("127.0.0.1", 7860, "local")
    assert not chosen.share


def test_flags_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARMATURE_WEIGHTS", "/a")
    monkeypatch.setenv("ARMATURE_DEVICE", "cpu")
    monkeypatch.setenv("ARMATURE_MODEL", "sd15")
    chosen = settings.from_command_line(["--weights", "/b", "--port", "8000"])
    assert (chosen.weights, chosen.device, chosen.model, chosen.port) == (Path("/b"), "cpu", "sd15", 8000)


def test_memory_comes_from_flags_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (settings.from_command_line([]).memory, settings.from_command_line([]).memory_mode) == (
        None,
        "auto",
    )
    monkeypatch.setenv("ARMATURE_MEMORY", "6GB")
    monkeypatch.setenv("ARMATURE_MEMORY_MODE", "parts")
    chosen = settings.from_command_line([])
    assert (chosen.memory, chosen.memory_mode) == (6 * 10**9, "parts")
    chosen = settings.from_command_line(["--memory", "800MB", "--memory-mode", "blocks"])
    assert (chosen.memory, chosen.memory_mode) == (8 * 10**8, "blocks")


@pytest.mark.parametrize(("name", "value"), [("MEMORY", "much"), ("MEMORY_MODE", "tiny")])
def test_memory_that_means_nothing_is_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"ARMATURE_{name}", value)
    with pytest.raises(ArmatureError, match=value):
        settings.from_command_line([])


@pytest.mark.parametrize("flag", ["--share", "--share-open"])
def test_a_share_link_is_public(flag: str) -> None:
    chosen = settings.from_command_line([flag, "--profile", "local"])
    assert chosen.share
    assert chosen.profile == "public"
    assert chosen.share_open == (flag == "--share-open")


def test_a_space_is_public_and_listens_everywhere() -> None:
    chosen = settings.from_environment({"SPACE_ID": "somebody/armature"})
    assert (chosen.space, chosen.profile, chosen.host) == (True, "public", "0.0.0.0")


def test_the_safety_checker_is_demanded_in_public_and_by_choice_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not settings.from_command_line([]).limits.safety
    assert not settings.from_command_line(["--profile", "lan"]).limits.safety
    assert settings.from_command_line(["--safety"]).limits.safety
    for public in (["--profile", "public", "--no-safety"], ["--share"]):
        assert settings.from_command_line(public).limits.safety, "there it is no choice"
    assert settings.from_environment({"SPACE_ID": "somebody/armature"}).limits.safety
    monkeypatch.setenv("ARMATURE_SAFETY", "1")
    assert settings.from_command_line([]).limits.safety
    assert not settings.from_command_line(["--no-safety"]).limits.safety


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(ArmatureError, match=r"PARAM_CHOICE.*'open'.*local, lan, public"):
        settings.from_environment({"ARMATURE_PROFILE": "open"})


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "0"],
        ["--port", "x"],
        ["--profile", "open"],
        ["--what"],
        ["--memory", "x"],
        ["--memory-mode", "x"],
    ],
)
def test_bad_usage_is_exit_code_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        settings.from_command_line(arguments)
    assert left.value.code == 2


def test_the_process_is_made_quiet_and_what_the_user_set_stays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment = {"HF_HOME": "/mine"}
    monkeypatch.setattr(os, "environ", environment)
    settings.prepare_process(tmp_path)
    assert environment["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert environment["HF_HUB_OFFLINE"] == "1"
    assert environment["GRADIO_TEMP_DIR"] == str(tmp_path / "gradio")
    assert environment["HF_HOME"] == "/mine"


def test_the_hub_is_the_one_that_the_environment_names() -> None:
    hub = settings.from_environment({}).hub
    assert (hub.endpoint, hub.token, hub.offline) == ("https://huggingface.co", "", False)
    named = {"HF_ENDPOINT": "https://mirror.example", "HF_TOKEN": "hf_secret"}
    hub = settings.from_environment(named).hub
    assert (hub.endpoint, hub.token, hub.offline) == ("https://mirror.example", "hf_secret", False)
    assert "hf_secret" not in repr(settings.from_environment(named))


@pytest.mark.parametrize(
    ("environment", "offline"),
    [
        ({"HF_HUB_OFFLINE": "1"}, True),
        ({"HF_HUB_OFFLINE": "yes"}, True),
        ({"HF_HUB_OFFLINE": "0"}, False),
        ({"HF_HUB_OFFLINE": ""}, False),
        ({"TRANSFORMERS_OFFLINE": "true"}, True),
    ],
)
def test_offline_is_what_the_user_set(environment: dict[str, str], offline: bool) -> None:
    assert settings.from_environment(environment).hub.offline is offline


def test_our_own_offline_for_the_libraries_is_not_the_users(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "environ", {})
    chosen = settings.from_command_line([])
    settings.prepare_process(tmp_path)
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert not chosen.hub.offline


@pytest.mark.parametrize("name", ["GRADIO_VIBE_MODE", "GRADIO_ALLOWED_PATHS", "GRADIO_MCP_SERVER"])
@pytest.mark.parametrize(
    "flags", [["--profile", "public"], ["--share"], ["--share-open", "--profile", "lan"]]
)
def test_t20_in_public_an_environment_that_opens_more_is_refused(
    name: str, flags: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(ArmatureError, match=rf"NOT_ALLOWED: .*found: {name};.* Unset it"):
        settings.from_command_line(flags)
    assert settings.from_command_line([]).profile == "local"
    assert settings.from_command_line(["--profile", "lan"]).profile == "lan"
    monkeypatch.setenv("SPACE_ID", "somebody/armature")
    with pytest.raises(ArmatureError, match="NOT_ALLOWED"):
        settings.from_command_line([])
    monkeypatch.setenv(name, "")
    assert settings.from_command_line(flags).profile == "public"
