"""Wrong twins of layers that stand in a file: the same text with one defect in each class."""

import re


def with_defects(text, defects):
    """Return the text of a file with ``defects``: by class, what is written there and what takes its place."""
    for name, (old, new) in defects.items():
        (body,) = re.findall(rf"^class {name}\b.*?(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
        assert body.count(old) == 1, (name, old)
        text = text.replace(body, body.replace(old, new))
    return text
