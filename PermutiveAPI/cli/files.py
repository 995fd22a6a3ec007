"""Write files that are whole or not there, in folders that exist."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])


class FilledPath(click.Path):
    """A path that is not empty. A shell's unset variable gives an empty one, which would be the working directory."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """Return the path, or end the command."""
        if value == "":
            self.fail("the path must not be empty.", param, ctx)
        return super().convert(value, param, ctx)


def in_a_folder(
    context: click.Context, parameter: click.Parameter, path: Path | None
) -> Path | None:
    """Refuse the path of a file in no folder. As the callback of an option, it does so before any work."""
    if path is not None and not path.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {str(path.parent)!r}.")
    return path


def written_file_option(
    name: str, *, help: str, callback: Callable[..., Path | None] = in_a_folder
) -> Callable[[Function], Function]:
    """Return an option for a file that the command writes. Its folder must exist."""
    path = FilledPath(dir_okay=False, path_type=Path)
    return click.option(name, type=path, metavar="FILE", callback=callback, help=help)


def refuse_to_overwrite(source: str, path: Path | None, option: str) -> None:
    """Refuse the path of an option if it is that of the file that is read, which would be lost."""
    if path is None or not (Path(source).is_file() and path.exists()):
        return
    if os.path.samefile(source, path):
        raise click.BadParameter(
            "this is the file that is read; name another one", param_hint=option
        )


@contextmanager
def naming(path: Path) -> Generator[None, None, None]:
    """Let an error of a file name the path that people know. That of a full disk names none."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise


@contextmanager
def replacing(path: Path) -> Generator[Path, None, None]:
    """Give the path of a new file, which takes the place of `path` if the block succeeds.

    If the block fails or is interrupted, the new file is deleted, and `path` stays as it was. Something
    that is not a file, such as /dev/stderr, is given itself.
    """
    if path.exists() and not path.is_file():
        with naming(path):
            yield path
        return
    target = Path(os.path.realpath(path))  # A link stays, and leads to the new file.
    new = target.with_name(f".{target.stem}.{os.getpid()}{target.suffix}")
    try:
        with naming(path):
            yield new
            if target.exists():
                shutil.copymode(target, new)
            new.replace(target)
    finally:
        new.unlink(missing_ok=True)
