"""The only place that opens a user's bytes or parses a user's values.

    limits.py     what each profile allows
    pictures.py   bytes -> Picture: the order of the checks, and the decoding
    files.py      what is found out about a file before a decoder sees it
    colours.py    a decoded picture of any mode -> RGB
    uploads.py    a path that a browser names -> a file of ours; what was painted there -> its bytes
    values.py     text, numbers, sizes, JSON
    records.py    lists in JSON lines, and the files that they name
    texts.py      what a PNG carries beside its pixels

What comes in may be made to do harm: it is measured before it is read and named before it is parsed; and what
leaves is plain: an array, a path inside a folder, checked values.
"""

from gate.limits import LIMITS, OWN_FILES, Limits, Profile
from gate.pictures import Picture, open_picture
from gate.records import Record, name_inside, read_records, read_text
from gate.texts import png_texts
from gate.uploads import file_bytes, painted_bytes, resolve_upload
from gate.values import check_size, check_values, clean_text, parse_json, parse_pose, parse_toml

__all__ = [
    "LIMITS",
    "OWN_FILES",
    "Limits",
    "Picture",
    "Profile",
    "Record",
    "check_size",
    "check_values",
    "clean_text",
    "file_bytes",
    "name_inside",
    "open_picture",
    "painted_bytes",
    "parse_json",
    "parse_pose",
    "parse_toml",
    "png_texts",
    "read_records",
    "read_text",
    "resolve_upload",
]
