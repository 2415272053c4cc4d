"""Which stage waits for which: DVC's own graph, by the stages' addresses."""

from collections.abc import Sequence
from dataclasses import dataclass

from polyprobe.running.errors import BadInputError, one_line


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


def pipeline(targets: Sequence[str] = ()) -> Pipeline:
    """Return the pipeline of the current folder's repository, as DVC reads it.

    Args:
        targets: stages or groups of stages, as `dvc repro` takes them: only they and what they wait for is in the
            pipeline then. All where there are none.

    Raises:
        BadInputError: this is no DVC repository, one of its files is not valid, or a target is none.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro

    try:
        with Repo() as repo:
            graph = get_active_graph(repo.index.graph)
            stages = plan_repro(graph, collect_stages(repo, targets) if targets else None)
            upstream = {
                str(stage.addressing): frozenset(str(waited_for.addressing) for waited_for in graph.successors(stage))
                for stage in stages
            }
    except DvcException as error:
        raise BadInputError(f"dvc.yaml: {one_line(error)}") from None
    return Pipeline(dict(sorted(upstream.items())))
