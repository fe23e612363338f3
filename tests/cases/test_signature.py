"""The notation of shapes: read, printed, evaluated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.cases.signature import Signature, format_dims, name_shape, names_in, shape_of, size_of, times
from gradcheck.errors import UsageError

names = st.sampled_from(["n", "i", "h1", "out", "größe"])
terms = st.builds(times, st.integers(1, 9), names)
tied = st.lists(terms, min_size=1, max_size=3).map("+".join)
dims = st.lists(st.one_of(st.integers(0, 99), tied), max_size=4).map(tuple)
signatures = st.builds(
    Signature,
    st.lists(dims, min_size=1, max_size=4).map(tuple),
    st.lists(dims, max_size=2).map(tuple),
)


@given(signatures)
def test_it_reads_what_it_prints(signature):
    assert Signature.parse(str(signature)) == signature


def test_blanks_and_missing_outputs():
    assert Signature.parse(" (n, i) , (i)->( ) ") == Signature((("n", "i"), ("i",)), ((),))
    assert Signature.parse("(n,3)") == Signature((("n", 3),))


@pytest.mark.parametrize(
    "text",
    ["", "n,i", "(n,i", "(n,i)(o)", "(n,i),", "(n,i)->", "->(n)", "((n))", "(n-1)", "(4h)", "(h*4)", "(4*)", "(+h)"],
)
def test_what_is_no_signature(text):
    with pytest.raises(UsageError, match="cannot read the signature") as error:
        Signature.parse(text)
    assert "(n,i),(i,o),(o)->(n,o)" in error.value.fix


def test_names_come_in_order_and_once():
    assert Signature.parse("(n,i+h),(4*h)->(o,n)").names == ("n", "i", "h", "o")
    assert names_in(("4*h", 3, "i", "h")) == ("h", "i")


@given(st.dictionaries(names, st.integers(0, 50), min_size=5), dims)
def test_sizes_are_those_of_the_terms(sizes, shape):
    known = {**dict.fromkeys(("n", "i", "h1", "out", "größe"), 1), **sizes}
    expected = tuple(d if isinstance(d, int) else eval(d, {}, known) for d in shape)
    assert shape_of(shape, known) == expected


def test_multiples():
    assert times(1, "h"), times(4, "h") == ("h", "4*h")
    assert times(4, 3) == 12
    assert size_of("2*i+3*h", {"i": 5, "h": 7}) == 31


def test_only_unmistakable_sizes_are_named():
    assert name_shape((3, 4, 5), {"n": 3, "i": 4, "o": 4}) == ("n", 4, 5)
    assert format_dims(name_shape((20,), {"h": 5, "4*h": 20})) == "(4*h)"
