"""What a language must be able to say: one entry for each thing.

An entry is a text with fields in braces. Each language has every entry, with the same
fields as English (`differences`); where an entry stands in a sentence is decided in
`icu_stream.domain.explain`, which fills the fields with words of the same language.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from string import Formatter


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Catalogue:
    """One language. `_new`: at its raising; `_on`: it holds; `_over`: it has ended.

    Attributes:
        name: Of the language, in itself.
        decimal: Between a whole number and its fraction.
        moment: A date and time of day, as `strftime` takes it; always UTC.
        signals: Code to name, as a nurse reads it.
        inputs: Input of NEWS2 to name.
        reasons: `notes.Reason` to words.
        seconds: A span; so `minutes`, `hours`.
        lasting: How long it has been so; after what is so.
        lasting_apart: The same after a whole clause.
        usual: The patient's own usual value.
        below: The limit that a value violates; so `above`.
        lowest: The worst value since onset; so `highest`.
        worse: It has become worse: the value.
        limit_new: A value violates a limit; so `no_pulse`, `no_breath`, `zero`.
        escalated: What ends a sentence when nobody acknowledged it in time; so
            `reminded`, `pause_over`, `unseen` (latched), `acknowledged`, `ended_by`.
        because: Before a reason.
        no_data_on: A signal is silent.
        outside: An invalid value; so `not_a_number`, `fahrenheit`; `valid_again`.
        ecg_fault_on: hr = 0 with a pulse.
        lead_off_on: What the device says; so `sensor_off`, `disconnected`, `searching`.
        unit_on: A pressure that reads as kPa.
        added_on: An added rule, by its own words.
        other_on: An alarm that the catalogue does not know.
        bed_no_data_on: All signals are silent.
        clock_on: A device's clock has jumped.
        two_devices_on: Two devices measure the same signal; `_unnamed`: not known which
            signal; `_named`: the devices; `_rule`: what is done about it.
        fault_on: Monitoring itself failed.
        news2: The score, when all inputs are known; `news2_least`: when some are not;
            `news2_unknown`: when none is.
        news2_single: Which threshold; so `news2_urgent`, `news2_emergency`.
        news2_first: The input with the most points; `news2_next`: each further one.
        unusual_on: A model's hint.
        unusual_first: The signal that deviates most; `unusual_next`: each further one.
        pause_new: The alarms are paused; `pause_on`: what is left of it.
        but_high: What a pause does not silence.
        rule_below: The rule itself, in the explanation; so all that begin with `rule_`.
        not_for_icu: What has to be said wherever NEWS2 is shown.
        unadmitted: After the source of a limit, when nobody is admitted.
        own_source: The source of a limit that is this patient's own.
    """

    name: str
    decimal: str
    moment: str
    signals: Mapping[str, str]
    inputs: Mapping[str, str]
    reasons: Mapping[str, str]

    seconds: str
    minutes: str
    hours: str
    lasting: str
    lasting_apart: str
    usual: str

    below: str
    above: str
    lowest: str
    highest: str
    worse: str
    limit_new: str
    limit_on: str
    limit_over: str
    no_pulse: str
    no_pulse_over: str
    no_breath: str
    no_breath_over: str
    zero: str
    zero_over: str

    escalated: str
    reminded: str
    pause_over: str
    unseen: str
    acknowledged: str
    ended_by: str
    because: str

    no_data_on: str
    no_data_over: str
    outside: str
    not_a_number: str
    fahrenheit: str
    valid_again: str
    ecg_fault_on: str
    ecg_fault_over: str
    lead_off_on: str
    lead_off_over: str
    sensor_off_on: str
    sensor_off_over: str
    disconnected_on: str
    disconnected_over: str
    searching_on: str
    searching_over: str
    unit_on: str
    unit_over: str
    added_on: str
    added_over: str
    other_on: str
    other_over: str

    bed_no_data_on: str
    bed_no_data_over: str
    clock_on: str
    clock_over: str
    two_devices_on: str
    two_devices_unnamed: str
    two_devices_named: str
    two_devices_rule: str
    two_devices_over: str
    fault_on: str
    fault_over: str
    news2: str
    news2_least: str
    news2_unknown: str
    news2_single: str
    news2_urgent: str
    news2_emergency: str
    news2_first: str
    news2_next: str
    news2_over: str
    news2_single_over: str
    unusual_on: str
    unusual_first: str
    unusual_next: str
    unusual_over: str
    pause_new: str
    pause_on: str
    but_high: str
    pause_ended: str

    after: str
    rule_below: str
    rule_above: str
    rule_zero: str
    rule_no_pulse: str
    rule_no_data: str
    rule_invalid: str
    rule_ecg_fault: str
    rule_lead_off: str
    rule_sensor_off: str
    rule_disconnected: str
    rule_searching: str
    rule_unit: str
    rule_other: str
    rule_bed_no_data: str
    rule_clock: str
    rule_two_devices: str
    rule_fault: str
    rule_news2_single: str
    rule_news2_urgent: str
    rule_news2_emergency: str
    rule_unusual: str
    rule_pause: str
    not_for_icu: str
    unadmitted: str
    own_source: str


def entries(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    """Every entry by name, those of the tables as `table.key`."""
    for field in fields(catalogue):
        value = getattr(catalogue, field.name)
        if isinstance(value, str):
            yield field.name, value
        else:
            for key, text in value.items():
                yield f"{field.name}.{key}", text


def differences(catalogue: Catalogue, reference: Catalogue) -> list[str]:
    """What a language lacks, has too much, or says with other fields.

    >>> from icu_stream.domain.catalogue import LANGUAGES
    >>> differences(LANGUAGES["de"], LANGUAGES["en"])
    []
    """
    ours, theirs = dict(entries(catalogue)), dict(entries(reference))
    found = [f"{name}: missing" for name in theirs if name not in ours]
    found += [f"{name}: not in the reference" for name in ours if name not in theirs]
    for name, text in ours.items():
        want = field_names(theirs.get(name, text))
        if (have := field_names(text)) != want:
            found.append(f"{name}: fields {sorted(have)}, want {sorted(want)}")
        if not text.strip() or not text.isprintable():
            found.append(f"{name}: {text!r} is no text")
    return found


def field_names(text: str) -> set[str]:
    """The fields of an entry.

    >>> sorted(field_names("{signal} {value}, {edge}"))
    ['edge', 'signal', 'value']
    """
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}
