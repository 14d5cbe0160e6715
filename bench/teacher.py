"""What a far larger model finds of names that it never saw: how much the data leave to be found.

    python -m bench.teacher DATA --seconds 150

A byte transformer (10 million weights) is fitted on a CUDA device, for a time that is given, to the
rows that a model is fitted to, without the names of the hold-out `domains` of seed 1, the latest
ones and real traffic, with the same weights, invented families and odd ordinary names. Shares in
per cent by each threat's own logit at one false positive in 1,000 clean names under new domains;
means over families for generated names. It needs PyTorch, which mlplugin does not install, and
nothing of it is in a model that ships. Without CUDA it runs on a small network, to try it out.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - what everybody calls it
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from mlplugin.training import fit, holdouts, measure, preparation
from mlplugin.training.datasets import THREATS, split
from mlplugin.training.descent import Samples
from mlplugin.training.fit import Recipe
from mlplugin.training.preparation import Mask, Prepared
from mlplugin.training.windows import CODES, SYMBOLS

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
WIDTH, LAYERS, HEADS = (384, 6, 6) if DEVICE == "cuda" else (32, 2, 2)
TOKENS = 98_304 if DEVICE == "cuda" else 8_192  # in a batch
LENGTHS = (16, 24, 40, 64)  # of names, by which batches are made; longer ones lose their beginning
RATE = "0.10%"
PLACES = 40  # in a label that are told apart


class Block(nn.Module):
    """Attention and a layer of its own for each place, both added to what comes in."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(2))
        self.asked, self.told = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.wide, self.back = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.drop = nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        many, length, _ = x.shape
        parts = self.asked(self.norms[0](x)).view(many, length, 3, HEADS, WIDTH // HEADS)
        seen = F.scaled_dot_product_attention(*parts.permute(2, 0, 3, 1, 4))
        x = x + self.drop(self.told(seen.transpose(1, 2).reshape(many, length, WIDTH)))
        return x + self.drop(self.back(F.gelu(self.wide(self.norms[1](x)), approximate="tanh")))


class Teacher(nn.Module):
    """Symbols of a name, right-aligned, to a logit of each threat."""

    def __init__(self) -> None:
        super().__init__()
        self.symbol, self.within = nn.Embedding(SYMBOLS, WIDTH), nn.Embedding(PLACES + 1, WIDTH)
        self.place = nn.Parameter(torch.randn(LENGTHS[-1], WIDTH) * 0.02)
        nn.init.normal_(self.symbol.weight, std=0.5)
        nn.init.normal_(self.within.weight, std=0.1)
        self.near = nn.Conv1d(WIDTH, WIDTH, 5, padding=2)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(2 * WIDTH)
        self.hidden, self.out = nn.Linear(2 * WIDTH, WIDTH), nn.Linear(WIDTH, len(THREATS))

    def forward(self, symbols: Tensor, within: Tensor) -> Tensor:
        length = symbols.shape[1]
        x = self.symbol(symbols) + self.within(within) + self.place[LENGTHS[-1] - length :]
        x = x + F.gelu(self.near(x.transpose(1, 2)).transpose(1, 2))
        for block in self.blocks:
            x = block(x)
        there = (symbols > 0)[..., None]
        mean = (x * there).sum(1) / there.sum(1).clamp(min=1)
        highest = x.masked_fill(~there, -30).amax(1)
        joined = self.norm(torch.cat([mean, highest], 1))
        return self.out(F.gelu(self.hidden(joined))).float()


@dataclass(frozen=True)
class Spans:
    """Where names begin, split and end, in the bytes of all of them."""

    start: Tensor
    label: Tensor
    suffix: Tensor
    end: Tensor

    def take(self, rows: Tensor) -> Spans:
        return Spans(self.start[rows], self.label[rows], self.suffix[rows], self.end[rows])


def spans(made: Samples) -> Spans:
    """The spans of samples, on the device."""
    start = torch.as_tensor(made.offsets[:-1])
    label, suffix = (torch.as_tensor(at.astype(np.int64)) for at in (made.label_at, made.suffix_at))
    whole = start, start + label.clamp(min=0), start + suffix, torch.as_tensor(made.offsets[1:])
    return Spans(*(part.to(DEVICE) for part in whole))


def changed(of: Spans, keep: Tensor, private: Tensor, recipe: Recipe) -> Spans:
    """The same with subdomains and suffixes left out by chance, as a fit does."""
    chance = [torch.rand(len(of.start), device=DEVICE) for _ in range(2)]
    drop = (of.label > of.start) & ~keep & (chance[0] < recipe.drop_subdomain)
    share = torch.where(private, recipe.drop_private_suffix, recipe.drop_suffix)
    end = torch.where(chance[1] < share, of.suffix - 1, of.end)
    return Spans(torch.where(drop, of.label, of.start), of.label, of.suffix, end)


def batches(of: Spans) -> list[tuple[int, Tensor]]:
    """Rows that go together, with the length that they are cut or filled up to."""
    length, shortest = of.end - of.start, 0
    found = []
    for most in LENGTHS:
        fits = (length > shortest) & ((length <= most) | (most == LENGTHS[-1]))
        rows = torch.nonzero(fits).squeeze(1)
        rows = rows[torch.randperm(len(rows), device=DEVICE)]
        found += [(most, part) for part in rows.split(TOKENS // most) if len(part)]
        shortest = most
    return found


def tokens(of: Spans, codes: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """Symbols, and how far each is into the label."""
    at = of.end[:, None] - length + torch.arange(length, device=DEVICE)[None]
    region = (at >= of.label[:, None]).long() + (at >= of.suffix[:, None])
    gone = at < of.start[:, None]
    symbols = 1 + 40 * region + codes[at.clamp(min=0)].long()
    within = (at - of.label[:, None] + 1).clamp(0, PLACES)
    return symbols.masked_fill(gone, 0), within.masked_fill(gone, 0)


def loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """A threat's sample teaches its own head only, a benign one teaches all."""
    heads = torch.arange(len(THREATS), device=DEVICE)[None]
    own = (target[:, None] < 0) | (target[:, None] == heads)
    right = (target[:, None] == heads).float()
    each = F.binary_cross_entropy_with_logits(logits, right, reduction="none")
    return ((each * own).sum(1) * weight).mean()


def fitted(made: Samples, recipe: Recipe, seconds: float) -> Teacher:
    """A network that learnt for so long, with a rate that falls over that time."""
    torch.manual_seed(recipe.seed)
    kind = torch.bfloat16 if DEVICE == "cuda" else torch.float32
    network = Teacher().to(DEVICE, kind)
    inside = list(network.parameters())
    whole = [part.detach().float().clone().requires_grad_() for part in inside]
    adam = torch.optim.AdamW(whole, betas=(0.9, 0.98), weight_decay=0.05)
    codes = torch.as_tensor(CODES[made.blob]).to(DEVICE)
    used = torch.as_tensor(np.flatnonzero(made.weight > 0)).to(DEVICE)
    target, weight = torch.as_tensor(made.target).to(DEVICE), torch.as_tensor(made.weight)
    weight, keep = weight.to(DEVICE), torch.as_tensor(made.keep_subdomain).to(DEVICE)
    private = made.private[np.maximum(made.rule, 0)] & (made.rule >= 0)
    rented, all_of = torch.as_tensor(private).to(DEVICE), spans(made)
    began, step, rng = time.monotonic(), 0, np.random.default_rng(recipe.seed)
    while True:
        now = changed(all_of.take(used), keep[used], rented[used], recipe)
        parts = batches(now)
        for number in rng.permutation(len(parts)):
            done = (time.monotonic() - began) / seconds
            if done >= 1:
                return network.eval()
            length, rows = parts[number]
            falling = 0.02 + 0.49 * (1 + math.cos(math.pi * done))
            adam.param_groups[0]["lr"] = 1e-3 * min(1, (step + 1) / 300) * falling
            logits = network(*tokens(now.take(rows), codes, length))
            _learn(loss(logits, target[used[rows]], weight[used[rows]]), inside, whole, adam)
            step += 1
            if DEVICE == "cuda" and step % 20 == 0:
                torch.cuda.synchronize()  # the time is that of the device


def _learn(
    wrong: Tensor, inside: list[nn.Parameter], whole: list[Tensor], adam: torch.optim.Optimizer
) -> None:
    """One step; the numbers that are moved are float32, whatever the network computes in."""
    for part in inside:
        part.grad = None
    wrong.backward()
    for part, exact in zip(inside, whole, strict=True):
        exact.grad = None if part.grad is None else part.grad.float()
    nn.utils.clip_grad_norm_(whole, 1.0)
    adam.step()
    with torch.no_grad():
        for part, exact in zip(inside, whole, strict=True):
            part.copy_(exact)


@torch.no_grad()
def logits(network: Teacher, ready: Prepared, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """What it says of these rows."""
    names = ready.data.names.take(rows)
    at = split(names, ready.rules)
    nothing = np.zeros(len(rows))
    of = spans(
        Samples(
            names.blob, names.offsets, at.label_at, at.suffix_at, at.rule, nothing, nothing,
            nothing, nothing,
        )
    )  # fmt: skip
    codes = torch.as_tensor(CODES[names.blob]).to(DEVICE)
    found = np.empty((len(rows), len(THREATS)))
    for length, part in batches(of):
        said = network(*tokens(of.take(part), codes, length))
        found[part.cpu().numpy()] = said.cpu().double().numpy()
    return found


def measured(ready: Prepared, seconds: float) -> dict[str, tuple[int, float]]:
    """Names and share found of each set that is held out."""
    held = {
        "domains": holdouts.domains(ready, 1),
        "later": list(holdouts.dates(ready))[-1],
        "odd": next(holdouts.odd(ready)),
    }
    dropped = np.any([part.dropped for part in held.values()], axis=0)
    rest, recipe = holdouts.without(ready, dropped), Recipe()
    rows = np.flatnonzero(rest.trainable)
    made, _ = fit.samples(rest.data, rest.splits, rows, rest.rules, recipe)
    learnt = np.zeros(len(ready.data), np.bool_)
    learnt[np.flatnonzero(~dropped)[rest.trainable]] = True
    network = fitted(made, recipe, seconds)
    about = holdouts.subject(ready, learnt, held["domains"].unseen)
    clean = logits(network, ready, measure.benign_sets(about)[measure.CLEAN])
    new: Mask = ~np.isin(ready.splits.domain, np.unique(ready.splits.domain[learnt]))
    found: dict[str, list[tuple[int, float]]] = {}
    for title, part in held.items():
        for name, (threat, some) in measure.malicious_sets(about, part.tested & new).items():
            bad = logits(network, ready, some[:: max(1, -(-len(some) // 4000))])
            share = measure.at_rates(clean[:, threat], bad[:, threat])[RATE]
            found.setdefault(f"{title}: {name.split(':')[0]}", []).append((len(bad), share))
    return {
        name: (sum(count for count, _ in parts), float(np.mean([share for _, share in parts])))
        for name, parts in found.items()
    }


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """Options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of labelled names")
    parser.add_argument("--seconds", type=float, default=150, help="of the fit (default: 150)")
    return parser.parse_args(arguments)


def main() -> None:
    """Fit, and print a row for each set of names."""
    arguments = parsed()
    shown = Table("names of", "names", "found")
    for name, (count, share) in measured(
        preparation.prepare(arguments.data), arguments.seconds
    ).items():
        shown.add_row(name, f"{count:,}", f"{100 * share:.1f}")
    Console().print(shown)


if __name__ == "__main__":
    main()
