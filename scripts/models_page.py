"""`docs/models.md`: which files of models are recognised, from the tables of `models/inspect/`."""

from models.inspect.forms import FORMS
from models.inspect.kinds import FOLDER_BASE, KINDS, UNKNOWN, Kind
from models.inspect.nets import BY_CONTEXT

HEAD = """\
<!-- Made from the tables in the code by `make docs`: change those, not this page. -->

# Models of your own

What a file is, is read from its header and not from its name, before anything is loaded. So a file in the wrong
place, or one that was made for another base, is refused in a sentence that says what it is.

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
