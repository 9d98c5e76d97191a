"""Figures of long proofs: what they counted, printed below the results of the run."""

SHOWN: list[str] = []


def show(figure: str) -> None:
    SHOWN.append(figure)
