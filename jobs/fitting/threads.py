"""One thread for linear algebra, so that sums do not depend on the machine's load."""

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit every BLAS to one thread inside the block.

    A limit reaches only the libraries that are loaded when it is set, and SciPy brings a BLAS of its own:
    imported later, inside the block, it would use all cores.
    """
    import scipy.linalg  # noqa: F401

    with threadpool_limits(1):
        yield
