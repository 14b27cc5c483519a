"""What makes scores mislead is said in a sentence, and copies share a group."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.data_findings import Item, findings, silent, united_groups
from store.records import Label


def said_of(items: list[Item]) -> str:
    united = united_groups((item.content, item.group) for item in items)
    return "\n".join(findings(items, united=united))


def spread(count: int, **given: object) -> list[Item]:
    """Files that nothing is wrong with: different ones, two classes in every split."""
    return [
        Item(f"{n}.wav", n, f"g{n}", ("train", "test")[n % 2], {"style": ("jazz", "rock")[n // 2 % 2]}, 1)
        for n in range(count)
    ]


def test_a_dataset_with_nothing_to_say_of_it_has_no_findings() -> None:
    assert said_of(spread(8)) == ""


@given(st.lists(st.tuples(st.integers(0, 6) | st.none(), st.sampled_from("abcdefgh"))))
def test_groups_that_share_a_content_become_one_however_long_the_chain(
    items: list[tuple[int | None, str]],
) -> None:
    parts = [({group}, {content} - {None}) for content, group in items]
    for _ in items:  # whatever touches is merged, until nothing does any more
        for one in parts:
            for other in parts:
                if one is not other and (one[0] & other[0] or one[1] & other[1]):
                    one[0].update(other[0])
                    one[1].update(other[1])
    united = united_groups(items)
    for groups, _ in parts:
        assert {united.get(group, group) for group in groups} == {min(groups)}


def test_equal_files_over_groups_and_labels_are_named() -> None:
    items = [*spread(8), Item("copy.wav", 3, "other", "train", {"style": "jazz"})]
    said = said_of(items)
    assert "2 files are equal to others, as '3.wav', 'copy.wav'. 2 groups share such files" in said
    assert "Equal files differ in 'style' (1 time): '3.wav' is 'rock', 'copy.wav' is 'jazz'." in said
    assert "Equal files are in different splits (1 time)" in said


def test_equal_files_of_one_group_and_label_need_no_new_group() -> None:
    said = said_of([*spread(8), Item("copy.wav", 3, "g3", "test", {"style": "rock"})])
    assert said == "2 files are equal to others, as '3.wav', 'copy.wav'."


@pytest.mark.parametrize(("clips", "found"), [(4, False), (5, True)])
def test_a_group_with_more_than_a_third_of_the_clips_is_named(clips: int, found: bool) -> None:
    items = [*spread(8), Item("x.wav", "x", "dj", "train", {"style": "jazz"}, clips)]
    assert ("Group 'dj' holds 5 of the 13 clips (38%)" in said_of(items)) == found


def test_groups_that_belong_together_are_one_when_the_largest_is_sought() -> None:
    items = [*spread(8), *(Item(f"c{n}.wav", n, f"c{n}", "train", {"style": "jazz"}) for n in (0, 0, 0, 0))]
    assert "Group 'c0' holds 5 of the 12 clips" in said_of(items)


def test_files_without_a_label_are_counted_and_the_first_three_named() -> None:
    items = [*spread(8), *(Item(f"l{n}.wav", f"l{n}", f"l{n}", "train", {"style": None}) for n in range(5))]
    assert said_of(items) == "5 of 13 files have no 'style': 'l0.wav', 'l1.wav', 'l2.wav' and 2 more."


def test_titles_are_no_classes() -> None:
    for count in (12, 60):
        titled = [
            Item(item.name, item.content, item.group, item.split, {**item.labels, "title": f"song {n}"})
            for n, item in enumerate(spread(count))
        ]
        assert said_of(titled) == ""
        copy = Item("copy.wav", 0, "g0", "train", {"style": "jazz", "title": "again"})
        assert said_of([*titled, copy]) == "2 files are equal to others, as '0.wav', 'copy.wav'."


def test_a_split_of_one_class_and_a_class_of_one_group_are_named() -> None:
    items = [
        *spread(8),
        Item("v.wav", "v", "v", "validation", {"style": "jazz"}),
        Item("p.wav", "p", "p", "train", {"style": "polka"}),
    ]
    said = said_of(items)
    assert "style: split 'validation' holds the class 'jazz' alone" in said
    assert "classes of one group only: 'polka'." in said


def test_files_that_no_label_tells_apart_are_said_to_be_alike() -> None:
    one: dict[str, Label] = {"label": "jazz"}
    for labels in (one, {**one, "year": 1999}):
        items = [Item(f"{n}.wav", n, f"g{n}", None, labels) for n in range(6)]
        assert "No two of the 6 files differ in a label (label 'jazz'" in said_of(items)
        assert "folder above" in said_of(items)
    assert "None of the 2 files has a label" in said_of([Item("a", 1, "a"), Item("b", 2, "b")])
    assert "label" not in said_of([Item("a", 1, "a")])


def test_labels_equal_but_for_case_blanks_or_unicode_form_are_named_with_their_counts() -> None:
    def labelled(values: list[str]) -> str:
        items = [Item(f"{n}.wav", n, f"g{n}", None, {"genre": value}) for n, value in enumerate(values)]
        return said_of(items)

    said = labelled(["Rock"] * 5 + ["rock "] * 3 + ["ROCK"] * 2 + ["jazz"] * 4)
    assert said == (
        "genre: 'Rock' (5), 'rock ' (3), 'ROCK' (2) differ in case, blanks or Unicode form alone, "
        "and count as 3 classes."
    )
    composed, apart = "Bossa n\u00f3va", "Bossa no\u0301va"
    said = labelled([composed] * 5 + [apart] * 3 + ["jazz"] * 4)
    assert f"'{composed}' (5), 'Bossa no\\u0301va' (3) differ" in said
    assert r"'R&B\xa0soul' (4)" in labelled(["R&B soul"] * 5 + ["R&B\xa0soul"] * 4)
    assert labelled(["rock", "rock'n'roll", "hard rock", "jazz"] * 3) == ""


def test_titles_that_are_equal_but_for_case_are_no_finding() -> None:
    titled = [
        Item(item.name, item.content, item.group, item.split, {**item.labels, "title": title})
        for item, title in zip(spread(60), ["Intro", "intro", *(f"song {n}" for n in range(58))], strict=True)
    ]
    assert said_of(titled) == ""


def test_silent_clips_are_counted() -> None:
    assert silent([], 3) == []
    assert silent(["a", "b", "c", "d"], 9) == ["4 of 9 clips are silent: 'a', 'b', 'c' and 1 more."]
