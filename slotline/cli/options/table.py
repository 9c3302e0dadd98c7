"""Tables of options and the parser that reads them.

The parser's rules are those of the llama.cpp server, which scripts rely on: arguments are taken strictly from left to
right, a later one overrides an earlier one unless it may repeat, a value is always the next argument, names are never
abbreviated, and help is shown as soon as it is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from slotline.cli.options.foreign import ADVICE
from slotline.cli.options.suggestions import note_on_argument
from slotline.cli.options.values import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Flag:
    """An option without a value.

    Attributes:
        names: its names, short ones first.
        sets: settings that it sets. Empty for an option that is only accepted.
        help: what it does.
        warning: given when it is used, for options that have no effect any more.
    """

    names: tuple[str, ...]
    sets: Mapping[str, object]
    help: str
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Value:
    """An option with a value.

    Attributes:
        names: its names, short ones first.
        metavar: what the value is called in the help.
        setting: setting that it sets; a tuple of all values if it may ``repeat``. Empty for an option that is only
            accepted.
        convert: checks and converts the value.
        help: what it does.
        default: the value without the option, if the configuration has no field of this name that says it.
        default_note: what the help adds to the default, or says in its place if the configuration has None.
        repeat: whether each occurrence adds a value.
        bare: value to use when the next argument is missing or looks like an option; None demands a value.
        warning: given when it is used, for options that have no effect any more.
        is_operand: its name may be left out: arguments that are no options, and ``-``, are values of it. At most one
            option of a command is.
    """

    names: tuple[str, ...]
    metavar: str
    setting: str
    convert: Callable[[str, str], object]
    help: str
    default: object = None
    default_note: str = ""
    repeat: bool = False
    bare: str | None = None
    warning: str = ""
    is_operand: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """An option with two values.

    Attributes:
        names: its names, short ones first.
        metavar: what the values are called in the help, with a space between them.
        setting: setting that it sets; a tuple of all pairs if it may ``repeat``.
        convert: checks the values and makes one of them.
        help: what it does.
        repeat: whether each occurrence adds a pair.
    """

    names: tuple[str, ...]
    metavar: str
    setting: str
    convert: Callable[[str, str, str], object]
    help: str
    repeat: bool = False


Option = Flag | Value | Pair

#: What asks for help, and for versions, of every command.
HELP, VERSION = ("-h", "--help", "--usage"), "--version"


@dataclass(frozen=True, slots=True)
class Group:
    """Options under one heading of the help."""

    title: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Parsed:
    """What was asked for.

    Attributes:
        settings: the settings that were given, converted; those that were not are missing.
        used: every option in order, with the arguments that it took, its name first.
        warnings: what the user should know.
        defaults: the values of settings that were not given, if their options say them.
        declined: flags that an environment variable turns off.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    used: list[tuple[Option, tuple[str, ...]]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    defaults: dict[str, Any] = field(default_factory=dict)
    declined: list[Flag] = field(default_factory=list)

    def value(self, setting: str) -> Any:
        """A setting as it was given, or the default that its option says; None without one."""
        return self.settings.get(setting, self.defaults.get(setting))

    def settles(self, option: Option) -> bool:
        """Whether nothing else has to be asked about an option.

        A flag that was not given is open even if all its settings were: what was given wins anyway.
        """
        if any(option is one for one, _ in self.used) or any(option is one for one in self.declined):
            return True
        return not isinstance(option, Flag) and option.setting in self.settings

    def arguments_of(self, groups: Sequence[Group], *, leave_out: Sequence[Option] = ()) -> list[str]:
        """The arguments that belong to the options of these groups, as they were given."""
        wanted = {id(option) for group in groups for option in group.options if option not in leave_out}
        return [argument for option, taken in self.used if id(option) in wanted for argument in taken]


class UsageError(Exception):
    """The arguments are wrong.

    Attributes:
        lines: what to print on stderr.
    """

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class HelpRequested(Exception):
    """A name of ``HELP`` was met."""


class VersionRequested(Exception):
    """``--version`` was met."""


def parse(groups: Sequence[Group], arguments: Sequence[str]) -> Parsed:
    """Read arguments by a table of options.

    Raises:
        HelpRequested, VersionRequested: these were asked for before anything wrong was met.
        UsageError: an argument is unknown, lacks its value, or has one that is not allowed.
    """
    by_name = {name: option for group in groups for option in group.options for name in option.names}
    operand = operand_of(groups)
    parsed = Parsed(defaults=_defaults(groups))
    index = 0
    while index < len(arguments):
        name = arguments[index]
        if name in HELP:
            raise HelpRequested
        if name == VERSION:
            raise VersionRequested
        option = by_name.get(name)
        if option is None and operand is not None and (name == "-" or not name.startswith("-")):
            take(parsed, operand, long_name(operand), name)
            index += 1
            continue
        if option is None:
            raise _unknown(name, by_name)
        values = _values(option, name, arguments[index + 1 : index + 3])
        take(parsed, option, name, *values)
        index += 1 + len(values)
    return parsed


def operand_of(groups: Sequence[Group]) -> Value | None:
    """The option whose name may be left out, or None if there is none."""
    options = (option for group in groups for option in group.options)
    return next((option for option in options if isinstance(option, Value) and option.is_operand), None)


def invalid(name: str, problem: str) -> UsageError:
    """The error for a value that is not allowed; ``problem`` says what is."""
    return UsageError(f"error: {problem}", f"error: invalid parameter for argument: {name}")


def take(parsed: Parsed, option: Option, name: str, *values: str) -> None:
    """Add an option that was given as ``name``, which messages use and which need not be one of its own names.

    Raises:
        UsageError: a value is not allowed.
    """
    if isinstance(option, Flag):
        parsed.settings.update(option.sets)
    else:
        if isinstance(option, Value) and option.bare is not None and not values:
            raw: tuple[str, ...] = (option.bare,)
        else:
            raw = values
        try:
            value = option.convert(name, *raw)
        except InvalidValue as problem:
            raise invalid(name, str(problem)) from None
        if option.setting:
            _set(parsed, option, value)
    if not isinstance(option, Pair) and option.warning:
        parsed.warnings.append(f"{name} {option.warning}")
    parsed.used.append((option, (name if name in option.names else long_name(option), *values)))


def long_name(option: Option) -> str:
    """Its first name with two dashes."""
    return next(name for name in option.names if name.startswith("--"))


def names_of_settings(groups: Sequence[Group]) -> dict[str, str]:
    """For each setting, the long names of the options that set it; flags only where no option takes a value for it."""
    by_value: dict[str, list[str]] = {}
    by_flag: dict[str, list[str]] = {}
    for option in (option for group in groups for option in group.options):
        if isinstance(option, Flag):
            for setting, value in option.sets.items():
                # A flag that turns something off is no name for it.
                if value is True:
                    by_flag.setdefault(setting, []).append(long_name(option))
        elif option.setting:
            by_value.setdefault(option.setting, []).append(long_name(option))
    return {setting: " or ".join(names) for setting, names in (by_flag | by_value).items()}


def _defaults(groups: Sequence[Group]) -> dict[str, Any]:
    options = (option for group in groups for option in group.options)
    return {
        option.setting: option.default for option in options if isinstance(option, Value) and option.default is not None
    }


def _unknown(argument: str, by_name: Mapping[str, Option]) -> UsageError:
    if argument in ADVICE:
        return UsageError(f"error: {argument} is not supported: {ADVICE[argument]}")
    note = note_on_argument(argument, {name: not isinstance(option, Flag) for name, option in by_name.items()})
    return UsageError(f"error: unknown argument: {argument}", *([note] if note else []))


def _values(option: Option, name: str, following: Sequence[str]) -> tuple[str, ...]:
    """The arguments behind a name that belong to it."""
    match option:
        case Flag():
            return ()
        case Pair():
            if len(following) < 2:
                raise invalid(name, f"{name} needs two values: {name} {option.metavar}")
            return (following[0], following[1])
        case Value():
            if option.bare is not None and (not following or following[0].startswith("-")):
                return ()
            if not following:
                raise invalid(name, f"{name} needs a value: {name} {option.metavar}")
            return (following[0],)


def _set(parsed: Parsed, option: Value | Pair, value: object) -> None:
    if option.repeat:
        value = (*parsed.settings.get(option.setting, ()), value)
    parsed.settings[option.setting] = value
