"""Joins what several processes count into one text for Prometheus."""

from collections.abc import Iterable, Mapping

Part = tuple[Mapping[str, str], bytes]


class _Family:
    def __init__(self) -> None:
        self.comments: list[str] = []
        self.samples: list[str] = []


def merge(parts: Iterable[Part]) -> bytes:
    """One exposition of several: each family once, each sample with the labels of its part in front of its own."""
    families: dict[str, _Family] = {}
    for labels, text in parts:
        shown = ",".join(f'{name}="{value}"' for name, value in labels.items())
        _add(families, shown, text.decode())
    lines = [line for family in families.values() for line in (*family.comments, *family.samples)]
    return "".join(f"{line}\n" for line in lines).encode()


def _add(families: dict[str, _Family], labels: str, text: str) -> None:
    seen: set[str] = set()
    family = _Family()
    for line in text.split("\n"):
        if line.startswith("# "):
            name = line.split(" ", 3)[2]
            family = families.setdefault(name, _Family())
            # The part that brought the family first explains it for all.
            if name in seen or not family.comments:
                seen.add(name)
                family.comments.append(line)
        elif line:
            family.samples.append(_label(line, labels))


def _label(sample: str, labels: str) -> str:
    # Names hold neither braces nor spaces, so whichever comes first ends the name.
    space, brace = sample.index(" "), sample.find("{")
    if 0 <= brace < space:
        return f"{sample[: brace + 1]}{labels},{sample[brace + 1 :]}"
    return f"{sample[:space]}{{{labels}}}{sample[space:]}"
