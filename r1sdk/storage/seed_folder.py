"""The folder of one recipe run with several seeds: an ordinary run folder for each seed, side by side.

seeds.yaml   the seeds and the resolved recipe; the digest of these lines stands at its top
seed-N/      the run folder of seed N, as `r1 train --seed N` would make it
report.html  the page of all of them
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import R1Error, RunError
from ..recipe.layers import read_layer, write_yaml
from ..recipe.schema import Recipe, load_recipe
from .atomic import check_seal, replace_file, sealed
from .lock import LOCK_FILE
from .run_folder import RunFolder

SEEDS_FILE = "seeds.yaml"


@dataclass(frozen=True, slots=True)
class SeedFolder:
    """A folder of runs that differ in their seed alone."""

    path: Path
    seeds: tuple[int, ...]  # in the order in which they run
    recipe: Recipe  # of each seed's run, apart from `seed` and `output_dir`

    @classmethod
    def create(cls, path: Path, seeds: Sequence[int], recipe: Recipe) -> "SeedFolder":
        """Make the folder at `path`, which may exist if it is empty. Raises: RunError."""
        try:
            if path.exists() and (not path.is_dir() or any(found.name != LOCK_FILE for found in path.iterdir())):
                if is_seed_folder(path):
                    raise RunError(
                        f"{path} already holds the runs of several seeds: continue them with r1 train --resume {path}, "
                        "choose another --out, or replace them with --overwrite"
                    )
                raise RunError(f"{path} exists and holds no runs of several seeds: choose another --out")
            path.mkdir(parents=True, exist_ok=True)
            folder = cls(path, tuple(seeds), recipe.model_copy(update={"output_dir": None}))
            folder.write()
        except OSError as error:
            raise RunError(f"cannot make {path}: {error.strerror or error}") from None
        return folder

    @classmethod
    def open(cls, path: Path) -> "SeedFolder":
        """Return the folder at `path`. Raises: RunError where there is none, or its seeds.yaml was changed or damaged."""
        file = path / SEEDS_FILE
        if not file.is_file():
            raise RunError(f"{path} holds no runs of several seeds: it has no {SEEDS_FILE}")
        check_seal(file)
        try:
            found = read_layer(file)
            seeds, recipe = found["seeds"], found["recipe"]
            if not isinstance(seeds, list) or not seeds or any(type(seed) is not int for seed in seeds):
                raise ValueError("seeds must be a list of whole numbers")
            return cls(path, tuple(seeds), load_recipe(None, recipe))
        except (R1Error, ValueError, TypeError, KeyError) as error:
            raise RunError(f"{file} is damaged ({error}): put it back from a copy") from None

    def write(self) -> None:
        """Replace seeds.yaml by what this record holds."""
        keys = {"seeds": list(self.seeds), "recipe": self.recipe.model_dump(mode="json")}
        replace_file(self.path / SEEDS_FILE, sealed(write_yaml(keys)))

    def run(self, seed: int) -> RunFolder:
        """Return the run folder of `seed`, which may not have been made yet."""
        return RunFolder(self.path / f"seed-{seed}")

    def recipe_of(self, seed: int) -> Recipe:
        """Return the recipe of the run of `seed`."""
        return self.recipe.model_copy(update={"seed": seed, "output_dir": self.run(seed).path.resolve()})

    def runs(self) -> Iterator[tuple[int, RunFolder]]:
        """Yield each seed whose run was begun, with its run folder."""
        for seed in self.seeds:
            folder = self.run(seed)
            if folder.recipe_file.is_file():
                yield seed, folder


def is_seed_folder(path: Path) -> bool:
    """True if runs of several seeds were started in `path`."""
    return (path / SEEDS_FILE).is_file()


def run_paths(path: Path) -> list[Path]:
    """Return the run folders that `path` means: itself, or those of its seeds. Raises: RunError where no seed has begun."""
    if not is_seed_folder(path):
        return [path]
    found = [folder.path for _, folder in SeedFolder.open(path).runs()]
    if not found:
        raise RunError(f"no seed of {path} has begun: start them with r1 train --resume {path}")
    return found
