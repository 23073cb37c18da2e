"""Parameters that are valid one by one and cannot go together: refused when params.yaml is read, not hours later."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import TYPE_CHECKING

from ddpm.errors import StudyError

if TYPE_CHECKING:
    from stages.support.settings import Params

REAL_IMAGES = 60_000  # of the training set of both data sets
KID_BLOCKS = 2  # at least, for an error
DIGIT_SHARE = 0.095  # of the real images, at least, a digit: those from 0 on have 0.098 each or more, before the draw
# Another name is looked up in ddpm.features, whose import of torchvision takes two seconds, in every stage's process.
EXTRACTORS = ("inception-nsfwjs-768", "inception-nsfwjs-2048", "inception-fid2015-2048", "inception-torchvision-2048")


@dataclass(frozen=True)
class Limit:
    """A number that may not exceed another; both are named as in params.yaml."""

    name: str
    value: int
    limit_name: str
    limit: int
    hint: str = "lower the first or raise the second"


def _limits(params: "Params") -> Iterator[Limit]:
    sample, real, fid = params.sample.images, params.reference, params.fid
    yield Limit("sample.images", sample, "reference.floor_images", real.floor_images)
    yield Limit("sample.images", sample, "reference.images", real.images)
    pool = real.images + real.floor_images
    yield Limit("reference.images + reference.floor_images", pool, "the training images", REAL_IMAGES, "lower them")
    yield Limit("validation.images", params.validation.images, "reference.floor_images", real.floor_images)
    digits = 10 - round(8 * max(params.validation.levels))  # those that dropped-classes leaves, ddpm.diagnostics
    left = f"what {digits} of ten digits have of reference.floor_images"
    yield Limit("validation.images", params.validation.images, left, int(digits * DIGIT_SHARE * real.floor_images))
    yield Limit("fid.kid_images", fid.kid_images, "reference.images", real.images)
    for name, rows in (("sample.images", sample), ("fid.kid_images", fid.kid_images)):
        yield Limit(f"{KID_BLOCKS} x fid.kid_block", KID_BLOCKS * fid.kid_block, name, rows)
    heldout = params.heldout
    yield Limit("heldout.images_per_level", heldout.images_per_level, "heldout.images", heldout.images)


def _unique(name: str, values: Sequence[object], where: str) -> None:
    for value, count in Counter(values).items():
        if count > 1:
            raise StudyError(f"{name}: {value} is listed {count} times", where=where, hint="list it once")


def _lists(params: "Params", where: str) -> None:
    grid = params.grid
    axes: dict[str, Sequence[object]] = {f"grid.{axis}": getattr(grid, axis) for axis in type(grid).model_fields}
    for name, values in (axes | {"ideal.T": params.ideal.T}).items():
        _unique(name, values, where)
    rising = {"heldout.log_snr": params.heldout.log_snr, "validation.levels": params.validation.levels}
    for name, levels in rising.items():
        _unique(name, levels, where)
        for low, high in pairwise(levels):
            if high < low:
                raise StudyError(f"{name}: {high:g} after {low:g}", where=where, hint="list them in ascending order")


def _models(params: "Params", where: str) -> None:
    """What the library refuses, asked before anything is computed: of schedules, samplers, networks and extractors."""
    from ddpm.network import UNET  # torch takes a second to import
    from ddpm.network.architecture import from_mapping
    from ddpm.network.kinds import KINDS
    from ddpm.sampling.samplers import get_sampler
    from ddpm.schedules import make_schedule
    from stages.support.network import OwnNetwork

    network, rate = params.network, params.train.muon_learning_rate
    try:
        if isinstance(network, OwnNetwork):
            from_mapping(network.model_dump())
        elif rate:
            what, hint = "Muon is for networks of kind unet only", "set it to 0 for a network of another kind"
            raise StudyError(what, where="train.muon_learning_rate", hint=hint)
        elif network.kind not in KINDS:
            known = ", ".join([UNET, *KINDS])
            raise StudyError(f"unknown kind {network.kind!r}", where="network.kind", hint=f"choose one of {known}")
        if params.extractor not in EXTRACTORS:
            from ddpm.features.inception import get_extractor

            get_extractor(params.extractor)
        made = {
            (name, T): make_schedule(name, T, **params.schedule_parameters(name))
            for name in params.grid.schedule
            for T in dict.fromkeys([*params.grid.T, *params.ideal.T])
        }
        for name, T, word in product(params.grid.schedule, params.grid.T, params.grid.sampler):
            sampler, steps = get_sampler(word, T)
            if made[name, T].alpha_bar[T] == 0 and steps <= 1 + sampler.left_out:  # samplers leave out t = T, too
                raise StudyError(f"{word} leaves no step on {name}, whose alpha_bar_T is 0", hint="choose more steps")
    except StudyError as error:
        told = f"{error.where}: {error.what}" if error.where and error.where != where else error.what
        raise StudyError(told, where=where, hint=error.hint) from None


def check(params: "Params", where: str) -> None:
    """StudyError when two parameters, or two entries of a list, cannot go together."""
    _lists(params, where)
    for limit in _limits(params):
        if limit.value > limit.limit:
            raise StudyError(
                f"{limit.name} is {limit.value:,}, more than {limit.limit_name}, {limit.limit:,}",
                where=where,
                hint=limit.hint,
            )
    _models(params, where)
    _chains(params, where)


def _chains(params: "Params", where: str) -> None:
    """StudyError when the page is to animate a cell that no stage trains."""
    for name, value, axis in (("T", params.chains.T, params.grid.T), ("seed", params.chains.seed, params.grid.seed)):
        if value not in axis:
            known = ", ".join(map(str, axis))
            raise StudyError(
                f"chains.{name} is {value}, not in grid.{name}", where=where, hint=f"choose one of {known}"
            )
