"""What happens to a measurement while the patient is well: stories of another kind.

Each is a `story.Story` that leaves the patient's hidden state alone.
"""

from icu_stream.contracts.alerts import Priority
from icu_stream.sources.story import Must, Story


# Pressure of the bag that keeps an arterial line open, mmHg: it is what the transducer
# sees while the line is flushed. Source: the usual 300 mmHg of pressure infusors, e.g.
# Edwards TruWave and B. Braun Combitrans, instructions for use.
FLUSH_MMHG = 300.0

# A second before a signal stops its last value came: its no-data time, less that second
# (docs/alarms.md, rule 15: 10 s of the bed).
_NO_DATA_S = 9.0

FAULTS: dict[str, Story] = {
    story.name: story
    for story in (
        Story(
            name="line_flush",
            summary="the arterial line is flushed: 300 mmHg, flat, for some seconds",
            duration_s=6,
            shortest_s=1,
            # The shortest delay of a high pressure is 10 s.
            longest_s=9,
            flush_mmhg=FLUSH_MMHG,
            needs=("abp_sys", "abp_dia", "abp_mean"),
            must_not=("abp_sys.high", "abp_mean.high", "abp_mean.invalid"),
        ),
        Story(
            name="lead_off",
            summary="ECG leads are off: no heart rate, no breath from the leads",
            duration_s=60,
            shortest_s=15,
            absent=("hr", "rr"),
            leads_only=("rr",),
            status={"hr": "lead_off", "rr": "lead_off"},
            needs=("hr",),
            must=(
                Must("hr.lead_off", Priority.MEDIUM, "hr", 0),
                Must("rr.lead_off", Priority.LOW, "rr", 0),
            ),
            must_not=("hr.asystole", "hr.extreme_low", "rr.apnoea", "bed.no_data"),
        ),
        Story(
            name="sensor_off",
            summary="the SpO2 sensor is off: no saturation, no pulse",
            duration_s=60,
            shortest_s=15,
            absent=("spo2", "pulse"),
            status={"spo2": "sensor_off", "pulse": "sensor_off"},
            needs=("spo2", "pulse"),
            must=(
                Must("spo2.sensor_off", Priority.MEDIUM, "spo2", 0),
                Must("pulse.sensor_off", Priority.LOW, "pulse", 0),
            ),
            must_not=("spo2.low", "spo2.desat", "hr.asystole", "bed.no_data"),
        ),
        Story(
            name="device_silent",
            summary="the monitor sends nothing",
            duration_s=40,
            shortest_s=15,
            silent=True,
            must=(Must("bed.no_data", Priority.MEDIUM, "hr", _NO_DATA_S),),
            must_not=("hr.no_data", "spo2.no_data", "hr.asystole"),
        ),
        Story(
            name="clock_jump",
            summary="the device's clock is an hour off, then right again",
            duration_s=30,
            shortest_s=10,
            clock_ms=3_600_000,
            # The third message in a row (docs/alarms.md rule 4).
            must=(Must("bed.clock_jump", Priority.MEDIUM, "hr", 2),),
            must_not=("bed.no_data", "hr.no_data"),
        ),
    )
}
