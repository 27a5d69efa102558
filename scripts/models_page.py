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
control in the tab of its condition. Bases and controls may be one `.safetensors` file or a folder in
diffusers' layout. A base brings all controls of its family; one in a single file takes the tokenizer from
the family's base. Controls of version 1.0 and 1.1 are used alike, with the names of the original or of
diffusers.

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
    )


def _row(kind: Kind) -> str:
    title = kind.title[:1].upper() + kind.title[1:]
    where = f"nowhere: {kind.why}" if kind.why else f"`weights/{kind.folder}/`"
    return f"| {title} | {kind.marks} | {where} |"
