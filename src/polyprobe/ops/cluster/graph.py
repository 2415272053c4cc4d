"""Which stage waits for which, by the stages' addresses."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pipeline:
    """The stages that are to be brought up to date, and what each waits for."""

    upstream: dict[str, frozenset[str]]
    """A stage's address, such as `probe@step-20` → the addresses of the stages that it directly waits for. In the order
    of the addresses."""

    def ancestors(self, stage: str) -> frozenset[str]:
        """Return the stages that a stage waits for, directly or not."""
        found: set[str] = set()
        unvisited = [stage]
        while unvisited:
            new = self.upstream[unvisited.pop()] - found
            found |= new
            unvisited += new
        return frozenset(found)


def kind(stage: str) -> str:
    """Return the name that a stage has in dvc.yaml: `probe` for `probe@step-20`."""
    return stage.partition("@")[0]
