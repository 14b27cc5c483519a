"""Decide where files are measured: on threads of this process, or as tasks of Ray on all nodes."""

from collections.abc import Iterator
from contextlib import contextmanager

from jobs.dataset.options import AddRequest
from jobs.engine.ray_session import ray_session, refuse_private_folders
from pipelines.audio.file_states import FileState
from pipelines.audio.files import Root
from pipelines.datasets.cutting import ClipSpec, Measure, Measured, measure

_TASKS_PER_CPU = 2
"""Files wait for the network more than for a processor."""


@contextmanager
def measuring(request: AddRequest, root: Root) -> Iterator[tuple[Measure, int]]:
    """What measures a file, and how many at once, for the block."""
    if request.engine == "inline":
        yield measure, request.threads
        return
    with ray_session(request.address):
        import ray

        if not request.shared_filesystem:
            cure = "say --shared-filesystem if every node sees the folder, or leave out --engine ray"
            refuse_private_folders([root.url], cure=cure)
        cpus = int(ray.cluster_resources().get("CPU", 1))
        task = ray.remote(num_cpus=1 / _TASKS_PER_CPU, max_retries=3)(measure)

        def on_a_node(root: Root, uri: str, spec: ClipSpec, state: FileState | None) -> Measured:
            found: Measured = ray.get(task.remote(root, uri, spec, state))
            return found

        yield on_a_node, max(request.threads, _TASKS_PER_CPU * cpus)
