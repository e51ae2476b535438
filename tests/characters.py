"""Texts of all characters, without hypothesis' table of their categories.

On a fresh clone each test process would take 5 s to make that table.
"""

from hypothesis import strategies as st

CHARACTERS = (st.integers(0, 0xD7FF) | st.integers(0xE000, 0x10FFFF)).map(chr)
"""Every character that UTF-8 can carry, one at a time."""


def texts(chars_max: int) -> st.SearchStrategy[str]:
    """Return texts of at most `chars_max` characters."""
    common = st.text('aZ09 -_.~"\\/\n\x00é€漢🐎', max_size=chars_max)
    return common | st.text(CHARACTERS, max_size=chars_max)


def ids(chars_max: int = 64) -> st.SearchStrategy[str]:
    """Return identifiers (`cell_core.domain.ids`) of at most `chars_max` characters."""
    letters = "abcxyzABCXYZ0189"
    rest = st.text(f"{letters}._~-", max_size=chars_max - 1)
    return st.builds("{}{}".format, st.sampled_from(letters), rest)
