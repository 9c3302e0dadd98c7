"""Whether and how hard a model is to think, as variables of its chat template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.dialogue.chat_format import CallStyle
from service.errors import InvalidArgument
from slotline.protocol.excerpt import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.dialogue.chat_format import ChatFormat, ReasoningSwitches
    from slotline.v1 import prompt_pb2

#: The word with which models that know no better one think hardest.
_EFFORT_ON = "high"
_ENABLED, _EFFORT = "chat.reasoning.enabled", "chat.reasoning.effort"
_VARIABLES = "chat.template_kwargs_json"
MAX_EFFORT_BYTES = 64


def reasoning_variables(
    options: prompt_pb2.ReasoningOptions, form: ChatFormat, given: Mapping[str, Any]
) -> dict[str, Any]:
    """The variables of the template that do what a request asks for; none if it asks for nothing.

    A model that always thinks may be asked to, and one that never does may be asked not to. A lenient request may ask
    for anything, and gets what the template has a switch or a word for.

    Args:
        options: what is asked for.
        form: of the model.
        given: the request's own variables for the template.

    Raises:
        InvalidArgument: the template has no switch for that, or the request's own variables contradict it.
    """
    _check_given(form.reasoning_switches, given)
    wanted: dict[str, tuple[Any, str]] = {}
    if options.HasField("effort"):
        wanted |= _effort(options, form)
    if options.HasField("enabled"):
        for name, choice in _enabled(options, form).items():
            if name in wanted:
                _check_effort(options, form)
            if not (options.enabled and _is_effort(name, given, form)):
                wanted.setdefault(name, choice)
    for name, (value, field) in wanted.items():
        if name in given and given[name] != value:
            raise InvalidArgument(
                _VARIABLES, f"sets {name!r} to {quoted(str(given[name]), 60)}, and {field} asks for {value!r}; send one"
            )
    return {name: value for name, (value, _) in wanted.items()}


def _check_given(switches: ReasoningSwitches, given: Mapping[str, Any]) -> None:
    """Refuse texts such as "false" for a switch: in a template they are true."""
    name = switches.on_off
    if name in given and isinstance(switches.on, bool) and isinstance(given[name], str):
        raise InvalidArgument(
            _VARIABLES, f"sets {name!r} to the text {quoted(given[name], 60)}; allowed are true and false"
        )


def _enabled(options: prompt_pb2.ReasoningOptions, form: ChatFormat) -> dict[str, tuple[Any, str]]:
    """Variables that turn reasoning on or off."""
    switches = form.reasoning_switches
    if switches.on_off:
        return {switches.on_off: (switches.on if options.enabled else switches.off, _ENABLED)}
    if switches.no_effort:
        return {switches.effort: (_EFFORT_ON if options.enabled else switches.no_effort, _ENABLED)}
    thinks = form.reasoning is not None or form.calls.style is CallStyle.HARMONY
    if options.enabled != thinks and not options.lenient:
        always = "this model always thinks" if thinks else "this model's chat template knows no reasoning"
        raise InvalidArgument(
            _ENABLED,
            f"is {str(options.enabled).lower()}, but {always}; allowed is {str(thinks).lower()}, or leave it out",
        )
    return {}


def _effort(options: prompt_pb2.ReasoningOptions, form: ChatFormat) -> dict[str, tuple[Any, str]]:
    """The variable that says how hard the model thinks."""
    word, name = options.effort, form.reasoning_switches.effort
    if not word or len(word.encode()) > MAX_EFFORT_BYTES:
        raise InvalidArgument(_EFFORT, f"is {quoted(word, 60)}; allowed is a word of 1 to {MAX_EFFORT_BYTES} bytes")
    if not name and options.lenient:
        return {}
    if not name:
        switch = form.reasoning_switches.on_off
        instead = f"reasoning can be turned on and off only ({_ENABLED})" if switch else "leave it out"
        raise InvalidArgument(
            _EFFORT, f"is {quoted(word, 60)}, but this model's chat template knows no such word; {instead}"
        )
    return {name: (word, _EFFORT)}


def _is_effort(name: str, given: Mapping[str, Any], form: ChatFormat) -> bool:
    """Whether a request's own variable says how hard to think, which is to think."""
    switches = form.reasoning_switches
    return name == switches.effort and name in given and given[name] != switches.no_effort


def _check_effort(options: prompt_pb2.ReasoningOptions, form: ChatFormat) -> None:
    """Refuse an effort that contradicts what turns reasoning on or off, where one variable says both."""
    is_off = options.effort == form.reasoning_switches.no_effort
    if is_off is options.enabled:
        raise InvalidArgument(
            _EFFORT, f"is {quoted(options.effort, 60)}, and {_ENABLED} is {str(options.enabled).lower()}; send one"
        )
