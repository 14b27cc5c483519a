"""Sets of prompts are read from the command line or a TOML file; what is wrong with one is named."""

from pathlib import Path

import pytest

from jobs.evaluate.zero_shot import parse_prompts
from store.errors import InvalidInput, NotFound


def test_a_class_is_put_into_the_template_or_brings_its_own_words() -> None:
    style, tempo = parse_prompts(["style=rock, jazz", "tempo=slow:slow music,fast"], "A sound of {}.")
    assert (style.concept, dict(style.texts)) == (
        "style",
        {"rock": "A sound of rock.", "jazz": "A sound of jazz."},
    )
    assert dict(tempo.texts) == {"slow": "A sound of slow music.", "fast": "A sound of fast."}


def test_a_file_holds_a_table_per_concept(tmp_path: Path) -> None:
    path = tmp_path / "prompts.toml"
    path.write_text('[style]\nrock = "loud, with guitars"\njazz = "jazz"\n[key]\n"C#" = "C sharp"\nD = "D"\n')
    style, key = parse_prompts([str(path)], "{}")
    assert dict(style.texts) == {"rock": "loud, with guitars", "jazz": "jazz"}
    assert dict(key.texts) == {"C#": "C sharp", "D": "D"}


def test_braces_in_the_words_are_words() -> None:
    assert parse_prompts(["a={x},y"], "the {}")[0].texts["{x}"] == "the {x}"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["rock,jazz"], "CONCEPT=CLASS"),
        (["style=rock,,jazz"], "CONCEPT=CLASS"),
        (["=rock,jazz"], "CONCEPT=CLASS"),
        (["style=rock"], "one class"),
        (["style=rock,jazz,rock"], "'rock' twice"),
        (["style=rock,jazz", "style=a,b"], "two sets of prompts for 'style'"),
    ],
)
def test_what_is_wrong_with_a_set_is_named(values: list[str], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        parse_prompts(values)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(NotFound, match=r"no file 'nowhere\.toml'"):
        parse_prompts(["nowhere.toml"])


@pytest.mark.parametrize("content", ["style = 3", "[style]\nrock = 1", "[style"])
def test_a_file_of_another_form_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "prompts.toml").write_text(content)
    with pytest.raises(InvalidInput, match=r"table with a line per class|is not TOML"):
        parse_prompts([str(tmp_path / "prompts.toml")])


@pytest.mark.parametrize("template", ["no braces", "{} and {}"])
def test_a_template_holds_its_braces_once(template: str) -> None:
    with pytest.raises(InvalidInput, match="once, where the class goes"):
        parse_prompts(["style=rock,jazz"], template)
