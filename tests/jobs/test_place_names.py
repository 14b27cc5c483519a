"""Sites and reductions are read in one place, so that every command takes and refuses the same."""

import re
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.places import parse_layers, parse_reductions, parse_sites
from store.errors import InvalidInput
from store.records import REDUCTIONS, SITES

Parser = Callable[[str], tuple[str, ...]]
KINDS: Sequence[tuple[Parser, tuple[str, ...]]] = [(parse_sites, SITES), (parse_reductions, REDUCTIONS)]
blanks = st.sampled_from(["", " ", "  "])


@given(kind=st.sampled_from(KINDS), data=st.data())
def test_names_in_any_order_with_blanks_and_twice_are_read_once_and_in_order(
    kind: tuple[Parser, tuple[str, ...]], data: st.DataObject
) -> None:
    parse, known = kind
    names = data.draw(st.lists(st.sampled_from(known), min_size=1, max_size=8))
    text = ",".join(data.draw(blanks) + name + data.draw(blanks) for name in names)
    found = parse(text)
    assert set(found) == set(names)
    assert [known.index(name) for name in found] == sorted({known.index(name) for name in names})
    assert parse(",".join(found)) == found


@given(kind=st.sampled_from(KINDS), text=st.text(max_size=12))
def test_any_other_text_is_refused_with_the_names_to_choose_from(
    kind: tuple[Parser, tuple[str, ...]], text: str
) -> None:
    parse, known = kind
    given_names = {name.strip() for name in text.split(",")} - {""}
    may_be_one = re.compile(r"[a-z][a-z0-9_]*", re.ASCII).fullmatch
    if given_names and (given_names <= set(known) or (known == SITES and all(map(may_be_one, given_names)))):
        return
    with pytest.raises(InvalidInput, match=", ".join(known)):
        parse(text)


def test_sites_of_any_model_are_read_behind_those_that_are_known() -> None:
    assert parse_sites("conv_2,mlp,conv_1,resid") == ("resid", "mlp", "conv_1", "conv_2")
    assert parse_sites("conv_1,out", ("out", "conv_1")) == parse_sites("all", ("out", "conv_1"))


@given(st.sets(st.integers(0, 23), min_size=1), st.randoms(use_true_random=False), st.booleans())
def test_layers_written_as_numbers_or_ranges_are_the_same_layers(
    layers: set[int], random: object, as_ranges: bool
) -> None:
    ordered = sorted(layers)
    parts = [str(one) for one in ordered]
    if as_ranges:
        starts = [one for one in ordered if one - 1 not in layers]
        ends = [one for one in ordered if one + 1 not in layers]
        parts = [f"{first}-{last}" for first, last in zip(starts, ends, strict=True)]
    random.shuffle(parts)  # type: ignore[attr-defined]
    assert parse_layers(",".join(parts), 24) == tuple(ordered)
