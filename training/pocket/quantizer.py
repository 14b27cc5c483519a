"""Residual vector quantisation in training: k-means start, moving averages, revival of dead codes.

audiocraft's own training of its codebooks lets the moving average undo the replacement of dead codes and
starts it unscaled; here the averages are restarted together with the code. The result is written into
audiocraft's quantizer, which does everything afterwards.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed
from torch.nn import functional

DECAY = 0.99
DEAD_SHARE = 0.1
"""A code is dead when it is chosen so much less often than if all were chosen equally."""
KMEANS_ITERATIONS = 30


@dataclass(slots=True)
class TrainedCodebooks:
    """Codebooks and their moving averages."""

    vectors: torch.Tensor
    """(K, size, width)."""
    counts: torch.Tensor
    """(K, size): moving average of how many vectors of a batch chose the code."""
    sums: torch.Tensor
    """(K, size, width): of the vectors that did."""

    @classmethod
    def from_kmeans(
        cls, latents: torch.Tensor, *, codebooks: int, size: int, vectors_per_step: int, seed: int
    ) -> "TrainedCodebooks":
        """Cluster latents (N, width), then what each codebook leaves over."""
        residual, books, counts = latents, [], []
        for codebook in range(codebooks):
            centres = kmeans(residual, size, seed=seed + codebook)
            chosen = nearest(residual, centres)
            books.append(centres)
            counts.append(torch.bincount(chosen, minlength=size).float())
            residual = residual - centres[chosen]
        vectors = torch.stack(books)
        share = torch.stack(counts) / len(latents) * vectors_per_step
        return cls(vectors, share, vectors * share[..., None])

    def quantize(
        self, latent: torch.Tensor, *, learn: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Quantise (B, width, T), gradients passing straight through.

        Returns:
            Quantised latent; codes (B, K, T); commitment loss, relative to the latent's own power.
        """
        flat = latent.transpose(1, 2).reshape(-1, latent.shape[1])
        residual, total, codes = flat.detach(), torch.zeros_like(flat), []
        commitment = torch.zeros((), device=latent.device)
        for codebook in range(len(self.vectors)):
            chosen = nearest(residual, self.vectors[codebook])
            if learn:
                self._learn(codebook, residual, chosen)
            picked = self.vectors[codebook][chosen]
            commitment = commitment + (flat - total - picked).square().mean()
            total, residual = total + picked, residual - picked
            codes.append(chosen.view(latent.shape[0], -1))
        passed = flat + (total - flat).detach()
        shaped = passed.view(latent.shape[0], -1, latent.shape[1]).transpose(1, 2)
        power = flat.detach().square().mean().clamp_min(1e-6)
        return shaped, torch.stack(codes, dim=1), commitment / len(self.vectors) / power

    @torch.no_grad()
    def _learn(self, codebook: int, vectors: torch.Tensor, chosen: torch.Tensor) -> None:
        size = self.vectors.shape[1]
        onehot = functional.one_hot(chosen, size).to(vectors.dtype)
        update = torch.cat([onehot.sum(0)[:, None], onehot.T @ vectors], dim=1)
        if distributed.is_initialized():
            distributed.all_reduce(update)
        self.counts[codebook].lerp_(update[:, 0], 1 - DECAY)
        self.sums[codebook].lerp_(update[:, 1:], 1 - DECAY)
        counts = self.counts[codebook].clamp_min(1e-3)
        self.vectors[codebook] = self.sums[codebook] / counts[:, None]
        self._revive(codebook, vectors)

    def _revive(self, codebook: int, vectors: torch.Tensor) -> None:
        """Restart dead codes, averages included, at random vectors of the batch (the same in all workers)."""
        counts = self.counts[codebook]
        usual = counts.mean()
        dead = torch.nonzero(counts < DEAD_SHARE * usual).flatten()
        if not len(dead):
            return
        fresh = vectors[torch.randint(len(vectors), (len(dead),), device=vectors.device)].clone()
        if distributed.is_initialized():
            distributed.broadcast(fresh, 0)
        self.vectors[codebook, dead] = fresh
        self.counts[codebook, dead] = usual
        self.sums[codebook, dead] = fresh * usual

    def write_into(self, quantizer: Any) -> None:
        """Give audiocraft's ResidualVectorQuantizer these codebooks."""
        for index, layer in enumerate(quantizer.vq.layers):
            book = layer._codebook  # noqa: SLF001 — audiocraft offers no other way to the buffers
            book.embed.copy_(self.vectors[index])
            book.embed_avg.copy_(self.sums[index])
            book.cluster_size.copy_(self.counts[index])
            book.inited.fill_(1.0)

    def state(self) -> dict[str, torch.Tensor]:
        """For a checkpoint."""
        return {"vectors": self.vectors, "counts": self.counts, "sums": self.sums}


def nearest(vectors: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
    """Number of the nearest centre of each vector: (N,) of (N, width) and (size, width)."""
    return (centres.square().sum(1) - 2 * vectors @ centres.T).argmin(1)


def kmeans(vectors: torch.Tensor, size: int, *, seed: int) -> torch.Tensor:
    """Lloyd's algorithm from k-means++ centres: (size, width)."""
    from sklearn.cluster import KMeans

    fitted = KMeans(size, n_init=1, max_iter=KMEANS_ITERATIONS, random_state=seed).fit(vectors.cpu().numpy())
    centres: torch.Tensor = torch.from_numpy(fitted.cluster_centers_).to(vectors)
    return centres


def perplexity(codes: torch.Tensor, size: int) -> torch.Tensor:
    """Exp of the entropy of each codebook's use: (K,) of codes (B, K, T)."""
    shares = torch.stack(
        [torch.bincount(book.flatten(), minlength=size).float() for book in codes.transpose(0, 1)]
    )
    used: torch.Tensor = torch.special.entr(shares / shares.sum(1, keepdim=True)).sum(1).exp()
    return used
