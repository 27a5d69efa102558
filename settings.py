"""Frozen settings from flags and the environment; the only reader and writer of `os.environ`."""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

from gate import Profile
