"""What monitors say by HL7: published messages, and what each field does to a value."""

from collections import Counter
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from icu_stream.contracts.commands import CommandType
from icu_stream.gateways import pcd01
from icu_stream.gateways.hl7v2 import Code, Hl7Error
from icu_stream.gateways.pcd01 import Options
from tests import monitor
from tests.unit.gateways import samples


TIME = 1_772_348_400_000
NOW = monitor.stamp(TIME)
HR = "147842^MDC_ECG_HEART_RATE^MDC"
BPM = "264864^MDC_DIM_BEAT_PER_MIN^MDC"
EVERYWHERE = Options()


def said(*obx: str, obr: str = f"OBR|1||||||{NOW}", options: Options = EVERYWHERE):
    """What is read of a message with these OBX."""
    lines = [
        monitor.HEAD.format(now=NOW, control="c-1"),
        "PID|1||p-7^^^Hospital^MR",
        "PV1|1|I|ICU1^^07",
        obr,
        *obx,
        "",
    ]
    return pcd01.read("\r".join(lines).encode(), options)


def values(found) -> dict[str, object]:
    return {code: value for v in found.vitals for code, value in v.values.items()}


def test_the_patient_monitor_of_the_point_of_care_guide_is_read():
    found = pcd01.read(samples.POCD, Options(processing="D"))

    [vitals] = found.vitals
    assert vitals.patient_id == "12345"
    assert vitals.bed == "My Unit-Bed1"
    assert (
        vitals.device
        == "7f2586c7-0506-46cd-a612-d8e75b838faa-IntelliVue MX500 - 866064"
    )
    assert vitals.time == 1_619_406_211_496  # 2021-04-25T23:03:31.496-04:00
    assert vitals.values == {"hr": 60.0}


def test_the_id_of_a_type_is_the_patients_when_the_site_says_so():
    found = pcd01.read(samples.POCD, Options(processing="D", id_type="VN"))

    assert found.vitals[0].patient_id == "6789"


def test_a_message_for_tests_is_no_patients():
    with pytest.raises(Hl7Error, match="MSH-11") as caught:
        pcd01.read(samples.POCD, Options())

    assert caught.value.reject


def test_the_arterial_line_of_a_ge_monitor_is_read():
    found = pcd01.read(samples.B40, Options())

    [vitals] = found.vitals
    assert (vitals.patient_id, vitals.bed) == ("HED12", "ICU-79874")
    assert vitals.device == "080019FFFE0B4020"
    assert vitals.values == {
        "abp_sys": 112,
        "abp_dia": 76,
        "abp_mean": 95,
        "pulse": 80,
        "hr": 80,
    }
    assert found.passed == Counter({"code_unknown": 1})
    assert found.unknown == {"148066^MDC_ECG_V_P_C_RATE^MDC"}


def test_a_cuff_goes_as_a_device_of_its_own_at_the_time_of_its_reading():
    found = pcd01.read(samples.VS, Options(zone=ZoneInfo("Europe/Berlin")))

    rates, cuff = found.vitals
    assert (cuff.device, cuff.time) == ("00A0370098007A80/nibp", 1_575_627_016_000)
    assert cuff.values == {"nibp_sys": 147, "nibp_dia": 90, "nibp_mean": 109}
    assert (rates.device, rates.time) == ("00A0370098007A80", 1_575_628_492_000)
    assert rates.values == {"spo2": 99, "pulse": 94}
    # Perfusion is no signal here, and an armpit is no core.
    assert found.passed == Counter({"code_unknown": 2})


def test_a_monitor_in_demo_mode_measures_nobody():
    found = pcd01.read(samples.DEMO, Options())

    assert found.vitals == []
    assert found.passed == Counter({"demo_or_test": 2})


def test_a_message_without_a_patient_is_refused():
    with pytest.raises(Hl7Error) as caught:
        pcd01.read(samples.NOBODY, Options())

    assert (caught.value.code, caught.value.where) == (Code.REQUIRED, "PID-3")


@pytest.mark.parametrize(
    ("obx", "passed"),
    [
        (f"OBX|1|NM|{HR}|1.1.1.1|80||||||R", "unit_missing"),
        (f"OBX|1|NM|{HR}|1.1.1.1|80|262688^MDC_DIM_PERCENT^MDC|||||R", "unit_unknown"),
        (f"OBX|1|NM|{HR}|1.1.1.1|80|{BPM}|||||X", "not_measured"),
        (f"OBX|1|NM|{HR}|1.1.1.1||{BPM}|||||F", "not_measured"),
        (f'OBX|1|NM|{HR}|1.1.1.1|""|{BPM}|||||F', "not_measured"),
        (f"OBX|1|NM|{HR}|1.1.1.1|80|{BPM}||INV|||F", "not_measured"),
        (f"OBX|1|NM|{HR}|1.1.1.1|80|{BPM}||L~TEST|||F", "demo_or_test"),
        (f"OBX|1|NM|{HR}|1.1.1.1|80|{BPM}|||||W", "withdrawn"),
        (f"OBX|1|ST|{HR}|1.1.1.1|80|{BPM}|||||F", "type_no_number"),
        (f"OBX|1|SN|{HR}|1.1.1.1|>^80|{BPM}|||||F", "type_no_number"),
        (f"OBX|1|SN|{HR}|1.1.1.1|^80^-^90|{BPM}|||||F", "type_no_number"),
        (f"OBX|1|NM|{HR}|1.1.1.1|80|{BPM}|||||F|||yesterday", "time_unreadable"),
        (f"OBX|1|NM|{HR}|1.1.1.1|80|{BPM}|||||F|||19700101000000", "time_unreadable"),
        ("OBX|1|NM|147842^MDC_TEMP^MDC|1|80|bpm|||||F", "code_contradicts"),
        ("OBX|1|NM|2708-6^SaO2^LN|1|97|%|||||F", "code_ambiguous"),
        ("OBX|1|NM|HR^Heart rate^L|1|80|bpm|||||F", "code_unknown"),
    ],
)
def test_a_value_in_doubt_is_passed_over_and_counted_and_the_good_ones_stay(
    obx, passed
):
    good = "OBX|2|NM|9279-1^Resp rate^LN|2|16|/min^^UCUM|||||F"

    found = said(obx, good)

    assert values(found) == {"rr": 16.0}
    assert found.passed == Counter({passed: 1})
    assert found.taken == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("80", 80.0),
        ("+80.50", 80.5),
        ("0", 0.0),
        ("-5", -5.0),
        ("8e1", 80.0),
        # What is no number raises the signal's technical alarm: it is told as it is, unless
        # it may be anything.
        ("-?-", "-?-"),
        ("---", "---"),
        ("80,5", "80,5"),
        ("1e999", "1e999"),
        ("nan", "?"),
        ("inf", "?"),
        ("1_0", "?"),
        ("Mustermann", "?"),
    ],
)
def test_a_number_is_a_number_and_signs_are_told(text, value):
    assert values(said(f"OBX|1|NM|{HR}|1.1.1.1|{text}|{BPM}|||||F")) == {"hr": value}


def test_a_unit_is_converted_or_read_from_its_alternate_coding():
    found = said(
        "OBX|1|NM|8310-5^Temp^LN|1|98.6|[degF]^^UCUM|||||F",
        "OBX|2|NM|150456^MDC_PULS_OXIM_SAT_O2^MDC|1|97|99^LOCAL^99X^%^%^UCUM|||||F",
        "OBX|3|NM|X^Y^99X^150037^MDC_PRESS_BLD_ART_ABP_SYS^MDC|1|16|kPa|||||F",
        "OBX|4|SN|9279-1^RR^LN|1|=^16|/min|||||F",
    )

    assert values(found) == {"temp": 37.0, "spo2": 97, "abp_sys": 120.0098, "rr": 16}


def test_of_two_sources_of_a_signal_the_monitors_own_counts():
    found = said(
        "OBX|1|NM|151594^MDC_CO2_RESP_RATE^MDC|1.3.1.1|18|/min|||||F",
        "OBX|2|NM|151562^MDC_RESP_RATE^MDC|1.1.1.1|16|/min|||||F",
        "OBX|3|NM|151578^MDC_TTHOR_RESP_RATE^MDC|1.2.1.1|17|/min|||||F",
    )

    assert values(found) == {"rr": 16}
    assert found.passed == Counter({"second_source": 2})
    assert found.taken == 1


def test_devices_of_one_message_are_told_apart_by_the_containment():
    found = said(
        "OBX|1||69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC|1.0.0.0|||||||X|||||||mon-17",
        "OBX|2||69985^MDC_DEV_VENT_MDS^MDC|2.0.0.0|||||||X|||||||vent-3",
        f"OBX|3|NM|{HR}|1.1.1.1|80|{BPM}|||||F|||||||module-9",
        "OBX|4|NM|151586^MDC_VENT_RESP_RATE^MDC|2.1.1.1|14|/min|||||F",
        "OBX|5|NM|8867-4^HR^LN||81|/min|||||F",
    )

    assert [(v.device, v.values) for v in found.vitals] == [
        ("mon-17", {"hr": 80}),
        ("vent-3", {"rr": 14}),
        ("MON^00A037FFFE000001", {"hr": 81}),
    ]


def test_several_moments_and_orders_are_messages_in_the_order_of_their_time():
    found = said(
        f"OBX|1|NM|{HR}|1|82|{BPM}|||||F|||20260301080002+0100",
        f"OBX|2|NM|{HR}|1|81|{BPM}|||||F",
        "OBR|2||||||20260301080001+0100",
        f"OBX|1|NM|{HR}|1|80|{BPM}|||||F",
        obr="OBR|1||||||20260301080003+0100",
    )

    assert [(v.time - TIME, v.values["hr"]) for v in found.vitals] == [
        (1_000, 80),
        (2_000, 82),
        (3_000, 81),
    ]


def test_several_patients_of_one_message_stay_apart():
    found = said(
        f"OBX|1|NM|{HR}|1|80|{BPM}|||||F",
        "PID|2||p-8",
        f"OBR|1||||||{NOW}",
        f"OBX|1|NM|{HR}|1|90|{BPM}|||||F",
    )

    assert [(v.patient_id, v.bed, v.values) for v in found.vitals] == [
        ("p-7", "ICU1-07", {"hr": 80}),
        ("p-8", "", {"hr": 90}),
    ]


def test_a_time_without_a_zone_has_that_of_the_message_else_the_sites():
    obx = f"OBX|1|NM|{HR}|1|80|{BPM}|||||F|||20260301080000"
    data = monitor.message("p-7", TIME, {"hr": 80}, "c-1").split(b"\r")
    data[-2] = obx.encode()
    zone = ZoneInfo("America/New_York")

    by_message = pcd01.read(
        b"\r".join(data).replace(b"+0000||ORU", b"+0200||ORU"), Options(zone=zone)
    )
    by_site = pcd01.read(
        b"\r".join(data).replace(b"+0000||ORU", b"||ORU"), Options(zone=zone)
    )

    assert by_message.vitals[0].time == TIME - 3_600_000
    assert by_site.vitals[0].time == TIME + 6 * 3_600_000


def test_without_an_observations_time_that_of_the_message_counts():
    found = said(f"OBX|1|NM|{HR}|1|80|{BPM}|||||F", obr="OBR|1")

    assert found.vitals[0].time == TIME


def test_the_sites_interval_goes_with_each_message():
    found = said(f"OBX|1|NM|{HR}|1|80|{BPM}|||||F", options=Options(interval_s=60))

    assert found.vitals[0].interval_s == 60


def test_laboratory_values_are_charted_once_however_often_they_come():
    obx = (
        "OBX|1|NM|32693-4^Lactate^LN||1.4|mmol/L^^UCUM|||||F",
        "OBX|2|NM|2160-0^Creatinine^LN||88|umol/L^^UCUM|||||F",
        "OBX|3|NM|2951-2^Sodium^LN||1.4|mmol/L^^UCUM|||||F",
    )

    found, again = said(*obx), said(*obx)

    [command] = found.commands
    assert (command.type, command.patient_id) == (CommandType.OBSERVE, "p-7")
    assert command.values == {"lactate": 1.4}
    assert command.command_id == again.commands[0].command_id
    assert found.passed == Counter({"unit_unknown": 1, "charted_implausible": 1})
    assert found.vitals == []


@pytest.mark.parametrize(
    ("event", "type_", "bed"),
    [
        ("A01", "admit", "ICU1-07"),
        ("A02", "transfer", "ICU1-07"),
        ("A03", "discharge", None),
    ],
)
def test_who_comes_and_goes_becomes_a_command(event, type_, bed):
    head = monitor.HEAD.format(now=NOW, control="c-9").replace(
        "ORU^R01", f"ADT^{event}"
    )
    data = f"{head}\rEVN||{NOW}\rPID|||p-7\rPV1||I|ICU1^^07\r".encode()

    [command] = pcd01.read(data, Options()).commands

    assert (command.type, command.patient_id, command.bed) == (type_, "p-7", bed)
    assert command.time == TIME
    assert command.command_id == pcd01.read(data, Options()).commands[0].command_id


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("ORU^R01^ORU_R01", "ORM^O01", "MSH-9"),
        ("ORU^R01^ORU_R01", "ADT^A08", "MSH-9"),
        ("p-7^^^Hospital^MR", "", "PID-3"),
        ("p-7^^^Hospital^MR", "icu-canary-ward-1", "PID-3"),
        ("p-7^^^Hospital^MR", "Müller", "PID-3"),
        ("p-7^^^Hospital^MR", "7" * 129, "PID-3"),
        ("|c-1|P|", "||P|", "MSH-10"),
        ("PID|", "ZPD|", "PID"),
        ("OBX|", "ZBX|", "OBX"),
        ("|P|2.6", "|T|2.6", "MSH-11"),
    ],
)
def test_a_message_that_is_of_no_use_is_refused_with_the_place(old, new, where):
    data = monitor.message("p-7", TIME, {"hr": 80}, "c-1").decode()
    assert old in data

    with pytest.raises(Hl7Error) as caught:
        pcd01.read(data.replace(old, new).encode(), Options(zone=UTC))

    assert caught.value.where == where
    assert "Mustermann" not in str(caught.value)
