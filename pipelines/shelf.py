"""What the page may know of weights: what a tab lacks, where that is, and what it would cost to fetch."""

from dataclasses import dataclass

import conditions
from models import bases
from models.catalogue import SAFETY, TOKENIZER, family_of, own_base
from models.store import Store
from pipelines import bundles
from pipelines.fetching import Fetching
from pipelines.request.fetching import FetchRequest, Offer
from pipelines.request.safety import is_exempt
from pipelines.request.stock import Stock
from pipelines.stock import take_stock


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsShelf:
    """The shelf of one folder of weights; `open` where visitors of the profile may fetch.

    With `safety`, models that could need the safety checker lack it too where it is not here.
    """

    fetching: Fetching
    open: bool
    safety: bool = False

    def lacking_of_method(self, annotator: str) -> tuple[str, ...]:
        """The name of the annotator's bundle, where files of it are not here."""
        return self._lacking((annotator,))

    def lacking_of_model(self, family: str, condition: str) -> tuple[str, ...]:
        """The base, or what one's own takes from it, and the control, if the Hub has them and we have not."""
        known = family.partition("/")[0]
        control = conditions.find(condition).controls.get(known)
        if not control:
            return ()
        checker = (SAFETY.name,) if self.safety and not is_exempt(family) else ()
        return self._lacking((*self._bases(family), f"{known}/{control}", *checker))

    def _bases(self, model: str) -> tuple[str, ...]:
        """What is fetched for a model's base: the base of a family, the tokenizer for a single file."""
        name, store = own_base(model), self._store
        if not name:
            return (model,)
        is_file = bases.NAME.fullmatch(name) and store.base(model).is_file()
        return (f"{family_of(model).name}/{TOKENIZER}",) if is_file and store.missing(model) else ()

    def lack(self, names: tuple[str, ...]) -> str:
        """In words, what is lacking of some bundles, where it is, and under which licence."""
        files = [file for bundle in bundles.named(self._store, names) for file in bundle.missing]
        if not files:
            return ""
        from_where = dict.fromkeys((file.repo, file.licence) for file in files)
        sources = " and ".join(f"{repo} (licence: {licence})" for repo, licence in from_where)
        some = files[0].path if len(files) == 1 else f"{len(files)} files, such as {files[-1].path},"
        return f"Not here yet: {some} from {sources}."

    def offer(self, names: tuple[str, ...]) -> Offer:
        """What fetching them would bring: this asks the Hub."""
        return self.fetching.offer(FetchRequest(names=names))

    def stock(self) -> Stock:
        """What is here and what can be had at this moment; nobody is asked."""
        return take_stock(self._store, offline=self.fetching.hub.offline)

    @property
    def _store(self) -> Store:
        return Store(self.fetching.weights)

    def _lacking(self, names: tuple[str, ...]) -> tuple[str, ...]:
        known = bundles.all_bundles(self._store)
        return tuple(name for name in names if name in known and known[name].missing)
