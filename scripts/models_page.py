"""`docs/models.md`: which files of models are recognised, from the tables of `models/inspect/`."""

from models.inspect.forms import FORMS
from models.inspect.kinds import FOLDER_BASE, KINDS, UNKNOWN, Kind
from models.inspect.nets import BY_CONTEXT

HEAD = """\
<!-- Made from the tables in the code by `make docs`: change those, not this page. -->

# Models of your own

What a file is, is read from its header and not from its name, before anything is loaded. So a file in the
wrong place, or one that was made for another base, is refused in a sentence that says what it is.

Put a file where the table says, and it is there at once, without a restart: a base among the models, a
control in the tab of its condition. Bases and controls may be one `.safetensors` file, alone in a folder of
its own if you like, or a folder in diffusers' layout. A base brings all controls of its family; one in a
single file takes the tokenizer from the family's base. Controls of version 1.0 and 1.1 are used alike, with
the names of the original or of diffusers.

Numbers are converted to what the device computes in. Where a file has them in float64 or float8, or in
several formats at once, every picture that is made with it says so. Numbers in a code of their own, such as
int8, are refused with `MODEL_DTYPE`.

Pickled files (`.ckpt`, `.pt`, `.pth`, `.bin`) can run code when they are opened, so they are refused. If
you own the machine, you can have one converted once, by a process of its own that takes tensors and nothing
else:

```sh
.venv/bin/python cli.py weights convert weights/bases/mine.ckpt
```

A control fits every base of its architecture, and best the one that it was trained on. For a base that is
far from it, the control can be carried over, as its paper proposes: what the other base does otherwise is
added to it.

```sh
.venv/bin/python cli.py weights transfer canny canny-for-mine --model mine.safetensors
```

## Kinds

"""

TAB = """
## The Models tab

The tab **Models** of the studio shows all of it as it is at this moment; a new file needs no restart.

![What can be had on the left, with size and licence; memory and disk on the right](images/models.png)

- What can be had, with its size, its licence and its repository, and whether it is here. *Get* asks the Hub
  for the exact size and says how much room there is; only then *Fetch* brings it, and until you press that
  nothing is downloaded. A fetch can be paused and goes on from there, also after the program has ended;
  *Cancel* throws away what has come. *Remove* deletes what was fetched, and never what you have put there.
  Where a file is cut off or can't be read the dot is red, and the row says which, with the size that it has
  and should have; *Fetch again* brings the damaged files alone, and each stays until the right one has come.
- Your own files, each with what it is by its header. What can't be used has a red dot, and says why in words.
  Pictures and notes that lie beside a model under its name are left out.
- What is in memory now. *Unload* frees it, except what the job that runs needs; whatever is wanted again is
  loaded again.
- The disk: how much each folder of the weights holds, and how much is free. A fetch that would leave less
  than 1 GB free is refused before it begins.

With `HF_HUB_OFFLINE=1` the Hub is not asked at all. In the profile `public` visitors only look. Without a
browser, `cli.py weights list` tells what can be had, and `get` fetches it. `verify` reads every fetched file
to its end: one whose checksum is another than in `manifest.json` is told with `HUB_INTEGRITY`, one that is
gone with `MODEL_MISSING`, and each with the command that mends it. A folder of weights may be read-only where
all that is wanted is in it; else a fetch is refused with `DIR_READONLY`, which names the place.
"""


def page() -> str:
    """The whole page."""
    rows = [_row(kind) for kind in (*KINDS, FOLDER_BASE, UNKNOWN)]
    table = ["| Kind | Told by | Belongs in |", "| --- | --- | --- |", *rows]
    bases = ["| Base | Numbers to a token |", "| --- | --- |"]
    bases += [f"| {known.title} | {context} |" for context, known in sorted(BY_CONTEXT.items())]
    others = ["| A file that begins as | is refused with | What to do |", "| --- | --- | --- |"]
    others += [f"| {form.title} | `{form.code.name}` | {form.todo} |" for form in FORMS]
    return (
        HEAD
        + "\n".join(table)
        + "\n\n## Bases\n\nWhose a file is, is told by how many numbers it has for a token of the prompt;"
        + " Flux, Stable Diffusion 3 and other transformers by their names.\n\n"
        + "\n".join(bases)
        + "\n\n## Everything else\n\n"
        + "\n".join(others)
        + "\n"
        + TAB
    )


def _row(kind: Kind) -> str:
    title = kind.title[:1].upper() + kind.title[1:]
    where = f"nowhere: {kind.why}" if kind.why else f"`weights/{kind.folder}/`"
    return f"| {title} | {kind.marks} | {where} |"
