"""What is too long, too wide or too small on a page: expressions, and the widest ward."""

from icu_stream import clock
from icu_stream.contracts.alerts import Event, Kind, Priority, State
from icu_stream.contracts.scores import News2, Scores
from icu_stream.contracts.topics import SCORES
from tests.browser.hospital import Hospital


# The widest values that a monitor shows, all doubted by their device.
WIDEST = {"hr": 250, "spo2": 100, "rr": 45, "temp": 41.5}
ARTERIAL = {"abp_sys": 188, "abp_dia": 102, "abp_mean": 130}
DOUBTED = dict.fromkeys((*WIDEST, *ARTERIAL), "questionable")

# What is cut: wider than its place, or outside of its tile.
CUT = """() => {
  const cut = [];
  const visible = (e) => e.offsetParent && e.textContent;
  for (const e of document.querySelectorAll(".n, .al, .hd, .hd b, .row *, #bar-live *"))
    if (visible(e) && e.scrollWidth > e.clientWidth && getComputedStyle(e).display !== "inline")
      cut.push(`${e.className || e.tagName} "${e.textContent}" ${e.scrollWidth}>${e.clientWidth}`);
  for (const tile of document.querySelectorAll(".tile")) {
    const { left, right, top, bottom } = tile.getBoundingClientRect();
    for (const e of tile.querySelectorAll(".n, .n i, .n span, .n small, .hd span")) {
      const box = e.getBoundingClientRect();
      if (!visible(e) || !box.width) continue;
      if (box.left < left || box.right > right || box.top < top || box.bottom > bottom)
        cut.push(`${tile.dataset.bed} ${e.parentElement.className} "${e.textContent}"`);
    }
  }
  return [...new Set(cut)].slice(0, 10);
}"""
OVERLAP = """() => {
  const met = [];
  for (const box of document.querySelectorAll(".large, .others, .hd")) {
    const all = [...box.children].filter((e) => e.offsetParent && e.textContent);
    for (let i = 1; i < all.length; i += 1) {
      const [a, b] = [all[i - 1], all[i]].map((e) => e.getBoundingClientRect());
      if (a.right > b.left + 0.5 && a.bottom > b.top + 0.5 && a.top < b.top + 0.5)
        met.push(`${all[i - 1].textContent} | ${all[i].textContent}`);
    }
  }
  return [...new Set(met)].slice(0, 10);
}"""
SCROLLS = """() => [
  document.documentElement.scrollWidth > innerWidth,
  document.documentElement.scrollHeight > innerHeight,
]"""

# What is to be touched and is smaller than a finger: WCAG 2.2, 2.5.5, 44 px.
SMALL = """() => [...document.querySelectorAll("button, a, select, summary, .row, .tile[data-id]")]
  .filter((e) => e.offsetParent && !e.closest(".js-plotly-plot"))
  .map((e) => [e.textContent || e.id, e.getBoundingClientRect()])
  .filter(([, box]) => box.width && (box.height < 44 || box.width < 44))
  .map(([text, box]) => `${text} ${Math.round(box.width)}x${Math.round(box.height)}`)"""


async def fill_with_the_widest(hospital: Hospital) -> None:
    """The widest values, alarms with the longest texts, pauses, hints."""
    for patient in hospital.patients:
        patient.pinned = dict(WIDEST)
        patient.status = DOUBTED
        if patient.index % 3 != 2:
            patient.pinned |= ARTERIAL
        score = News2(total=20, band="", completeness=6, inputs={})
        scores = Scores(
            patient_id=patient.patient_id, bed=patient.bed, time=0, news2=score
        )
        await hospital.send(SCORES, patient, scores)
    kinds = [
        ("spo2.desat", Priority.HIGH, Kind.PHYSIOLOGICAL, {"value": 79.6, "limit": 80}),
        (
            "abp_mean.extreme_low",
            Priority.HIGH,
            Kind.PHYSIOLOGICAL,
            {"value": 39, "limit": 40},
        ),
        ("bed.clock_jump", Priority.MEDIUM, Kind.TECHNICAL, {"signal": None}),
        (
            "nibp_sys.high",
            Priority.MEDIUM,
            Kind.PHYSIOLOGICAL,
            {"value": 188, "limit": 160},
        ),
        ("temp.high", Priority.LOW, Kind.PHYSIOLOGICAL, {"value": 41.5, "limit": 39}),
        (
            "etco2.high",
            Priority.MEDIUM,
            Kind.PHYSIOLOGICAL,
            {"value": 112, "limit": 50},
        ),
    ]
    for index in range(0, len(hospital.patients), 3):
        for extra in range(1 + index % 2):
            code, priority, kind, fields = kinds[(index // 3 + extra) % len(kinds)]
            text = f"{code}: a sentence of ninety characters, which is as long as any sentence is."
            alert = await hospital.alarm(
                index, code, priority, text, kind=kind, **fields
            )
            if index % 2:
                await hospital.again(alert, Event.WORSENED, State.ACTIVE)
    for index in range(0, len(hospital.patients), 4):
        await hospital.pause(index, clock.now_ms() + 119_000)
    for index in range(1, len(hospital.patients), 6):
        await hospital.alarm(
            index,
            "bed.unusual",
            Priority.LOW,
            kind=Kind.ADVISORY,
            signal=None,
            annunciate=False,
        )
