"""Acceptance of the alarms at the screen: items of the specification's list, by number.

Monitors, Kafka, worker and ward are the real ones (`chain`). Where a test needs what the
worker would not say when it is wanted (a hint of which kind, a moment of a flash), it
takes the ward whose messages it makes itself (`shared`), and says so.
"""

import asyncio
import itertools
import json

from typing import Any

import pytest

from playwright.async_api import Browser, Page

from icu_stream.contracts.alerts import Alert, Event, Kind, Priority, State
from tests.browser.chain import Chain
from tests.browser.hospital import Hospital, WardView
from tests.browser.screen import (
    DIGITS,
    FRAME,
    PATIENCE_S,
    chip,
    open_context,
    open_page,
    strip,
    until,
)


pytestmark = pytest.mark.asyncio(loop_scope="session")

SAID = "document.querySelector('#said').textContent"
SOUNDED = "(document.documentElement.dataset.sounded || '')"
SOUND = "document.querySelector('#sound').textContent"
# At once and high; in one step of less than 20 %, which is not suspect.
DESATURATED = {"spo2": 79}
# At once and low; no other alarm follows.
FEVER = {"temp": 39.6}


def tile(bed: str) -> str:
    return f".tile[data-bed='{bed}']"


async def unlock(page: Page) -> None:
    """Press something, so that the browser lets the page be heard."""
    await page.click("footer")
    await until(page, f"{SOUND} === '80 %'")


def head(bed: str) -> str:
    return f'document.querySelector("{tile(bed)} .hd").textContent'


async def clear(hospital: Hospital, *alerts: Alert) -> None:
    for alert in alerts:
        await hospital.again(alert, Event.CLEARED, State.CLEARED)


async def test_06_of_twenty_alarms_at_once_twenty_appear(chain: Chain, nurse: Page):
    async with chain.take(10) as beds:
        for bed in beds:
            bed.pinned = FEVER | DESATURATED
        await until(nurse, f"{chip('high')} === 10 && {chip('low')} === 10")

        assert await nurse.locator(".tile.high").count() == 10
        assert await nurse.locator(".row").count() == 8
        assert "+ 2 more beds with alarms" in await nurse.inner_text("#attn .more")
        texts = [await nurse.evaluate(strip(bed.bed)) for bed in beds]
        assert texts == ["!!! SpO₂ 79 < 80  +1"] * 10


class Frames:
    """Frames on their way to a page, of which one is lost when it is asked for."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self.losing = 0  # the one that is lost, counted from the next
        self.lost = self.mended_by = 0  # numbers: of that one, of the last snapshot
        self.mended = asyncio.Event()  # a snapshot came after it, and then a delta

    def __call__(self, frame: str) -> str | None:
        """What becomes of a frame."""
        fields = json.loads(frame)
        self.kinds.append(fields["k"])
        if "snap" in self.kinds[1:] and self.kinds[-1] == "delta":
            self.mended.set()
        self.losing -= 1
        if self.losing == 0:
            self.lost = fields["q"]
            return None
        if fields["k"] == "snap":
            self.mended_by = fields["q"]
        return frame

    async def lose(self, which: int) -> None:
        """Lose one of those to come, and wait until the page has what was in it."""
        self.kinds.clear()
        self.mended.clear()
        self.losing = which
        async with asyncio.timeout(PATIENCE_S):
            await self.mended.wait()


NUMBERS = """() => {
  window.numbers = [];
  new MutationObserver(() => window.numbers.push(Number(document.documentElement.dataset.frame)))
    .observe(document.documentElement, { attributes: true, attributeFilter: ["data-frame"] });
}"""


async def test_07_a_lost_frame_is_followed_by_a_snapshot(
    browser: Browser, chain: Chain
):
    frames = Frames()
    page = await open_page(browser, chain.view, frames=frames)

    await page.evaluate(NUMBERS)

    await frames.lose(6)
    await until(page, f"{FRAME} >= {frames.mended_by}")
    drawn = await page.evaluate("window.numbers")

    assert frames.lost - 1 in drawn
    # It did not go on over the gap.
    assert not [n for n in drawn if frames.lost <= n < frames.mended_by]
    assert await page.evaluate(DIGITS) > 0
    await page.context.close()


# For 3.2 s: how often the strips of a priority change their colours, and how often two of
# one priority were seen to differ.
FLASHES = """async () => {
  const found = { high: 0, medium: 0, low: 0, apart: 0 };
  const before = {};
  const end = performance.now() + 3200;
  while (performance.now() < end) {
    for (const level of ["high", "medium", "low"]) {
      const strips = [...document.querySelectorAll(`.tile.${level} .al`)];
      const colours = new Set(strips.map((strip) => getComputedStyle(strip).backgroundColor));
      if (colours.size !== 1) found.apart += 1;
      const [colour] = colours;
      if (before[level] && before[level] !== colour) found[level] += 1;
      before[level] = colour;
    }
    await new Promise((then) => setTimeout(then, 20));
  }
  return found;
}"""


async def test_08_all_flashing_has_one_phase_and_two_speeds_and_none_when_not_wanted(
    shared: tuple[Hospital, WardView], browser: Browser, page: Page
):
    """Six alarms that begin at moments of their own: a planted producer's."""
    hospital, view = shared
    alerts = []
    for index, priority in enumerate(
        (Priority.HIGH, Priority.MEDIUM, Priority.LOW) * 2
    ):
        alerts.append(
            await hospital.alarm(index, "hr.high", priority, value=150, limit=140)
        )
        await asyncio.sleep(0.13)
    await until(page, "document.querySelectorAll('.tile.low').length === 2")
    still = await open_page(browser, view, reduced_motion="reduce")
    await until(still, "document.querySelectorAll('.tile.low').length === 2")

    flashes = await page.evaluate(FLASHES)
    calm = await still.evaluate(FLASHES)
    underlined = await still.evaluate(
        "getComputedStyle(document.querySelector('.tile.high .al')).textDecorationLine"
    )

    # In 3.2 s 2 Hz change 12 times and 0.625 Hz 4; a busy machine leaves some out.
    assert 6 <= flashes["high"] <= 14
    assert 2 <= flashes["medium"] <= 5
    assert flashes["low"] == 0
    assert flashes["apart"] == 0
    assert set(calm.values()) == {0}
    assert underlined == "underline"
    await still.context.close()
    await clear(hospital, *alerts)


# Luminance of the text on its strip, in both halves of a flash, without any colour.
GRAY = """() => [...document.querySelectorAll(".tile.high, .tile.medium, .tile.low")].map((tile) => {
  const strip = tile.querySelector(".al");
  const gray = (css) => {
    const [r, g, b] = css.match(/[\\d.]+/g).map((v) => {
      const c = v / 255;
      return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = () => {
    const style = getComputedStyle(strip);
    const [a, b] = [gray(style.color), gray(style.backgroundColor)].sort();
    return (b + 0.05) / (a + 0.05);
  };
  const { dataset } = document.documentElement;
  const now = dataset.dim;
  const ratios = ["", "high medium"].map((dim) => {
    dataset.dim = dim;
    return contrast();
  });
  dataset.dim = now;
  return [tile.dataset.bed, strip.textContent, Math.min(...ratios)];
})"""


async def test_09_priority_and_kind_are_readable_without_colour(
    shared: tuple[Hospital, WardView], page: Page
):
    """One alarm of each priority and kind at one moment: a planted producer's."""
    hospital, _ = shared
    high, medium, low = Priority.HIGH, Priority.MEDIUM, Priority.LOW
    alerts = [
        await hospital.alarm(5, "spo2.desat", high, value=79, limit=80),
        await hospital.alarm(6, "hr.high", medium, value=131, limit=120),
        await hospital.alarm(7, "temp.high", low, value=39.4, limit=39),
        await hospital.alarm(8, "hr.ecg_fault", medium, kind=Kind.TECHNICAL),
    ]
    await until(page, "document.querySelectorAll('.tile.technical').length === 1")

    shown = {bed: (text, ratio) for bed, text, ratio in await page.evaluate(GRAY)}
    texts = [shown[hospital.patients[n].bed][0] for n in range(5, 9)]

    assert texts == [
        "!!! SpO₂ 79 < 80",
        "!! HR 131 > 120",
        "! Temp 39.4 > 39",
        "!! Tech ECG fault",
    ]
    assert all(ratio >= 4.5 for _, ratio in shown.values())
    dashed = f".tile[data-bed='{hospital.patients[8].bed}']"
    style = f"getComputedStyle(document.querySelector(`{dashed}`)).borderTopStyle"
    assert await page.evaluate(style) == "dashed"
    await clear(hospital, *alerts)


# Every text that any strip has had, with its bed.
STRIPS = """() => {
  window.strips = [];
  new MutationObserver((changes) => changes.forEach(({ target }) => {
    const strip = target.parentElement;
    if (strip && strip.className === "al")
      window.strips.push([strip.closest(".tile").dataset.bed, target.data]);
  })).observe(document.querySelector("#ward"), { subtree: true, characterData: true });
}"""


async def test_11_an_acknowledgement_is_sending_then_named_and_a_lost_one_says_so(
    chain: Chain, nurse: Page
):
    async with chain.take(3) as (by_key, by_click, unanswered):
        for bed in (by_key, by_click, unanswered):
            bed.pinned = FEVER
        await until(nurse, f"{chip('low')} === 3")

        await nurse.evaluate(STRIPS)
        await nurse.focus(tile(by_key.bed))
        await nurse.keyboard.press("a")
        await until(nurse, f"/✓ RO/.test({strip(by_key.bed)})")
        await nurse.click(tile(by_click.bed))
        await nurse.click("#bed .alarm button:text-is('Acknowledge')")
        await until(nurse, f"/✓ RO/.test({strip(by_click.bed)})")
        await nurse.keyboard.press("Escape")
        strips = await nurse.evaluate("window.strips")
        named = await nurse.inner_text(f".row:has-text('{by_click.bed}')")

        chain.worker.freeze()
        try:
            await nurse.focus(tile(unanswered.bed))
            await nurse.keyboard.press("A")
            await until(nurse, f"{SAID}.includes('not confirmed yet')")
            pending = await nurse.evaluate(strip(unanswered.bed))
            await nurse.get_by_role("button", name="Retry").click()
        finally:
            chain.worker.thaw()
        await until(nurse, f"/✓ RO/.test({strip(unanswered.bed)})")

        for bed in (by_key, by_click):
            texts = [text for place, text in strips if place == bed.bed]
            assert "! Temp 39.6 > 39  sending …" in texts
        assert f"by {chain.by}" in named
        assert pending.startswith("! ")  # the alarm went on
        assert "not conf" in pending


def later(frame: str, ms: int) -> str:
    """The same frame from a server whose clock is so much further."""
    fields = json.loads(frame)
    fields["t"] += ms
    fields["w"] += ms
    return json.dumps(fields)


async def test_12_the_sound_of_one_bed_is_paused_at_one_screen_for_two_minutes(
    chain: Chain, browser: Browser, nurse: Page
):
    async with chain.take(1) as (bed,):
        await unlock(nurse)
        bed.pinned = FEVER
        await until(nurse, f"{SOUNDED}.startsWith('1 ')")
        await nurse.focus(tile(bed.bed))
        await nurse.keyboard.press("s")
        await until(nurse, f"/sound paused 1:5\\d/.test({head(bed.bed)})")
        kind = await nurse.get_attribute(f"{tile(bed.bed)} .sign", "data-kind")
        strips = await nurse.evaluate(strip(bed.bed))
        await nurse.reload()
        await nurse.wait_for_selector(tile(bed.bed))
        await until(nurse, f"/sound paused 1:5\\d/.test({head(bed.bed)})")
        await unlock(nurse)
        still = await nurse.evaluate(SOUNDED)
        bed.pinned = FEVER | DESATURATED
        await until(nurse, f"{SOUNDED}.startsWith('3 ')")

        # The same browser, two minutes on; and another screen, where nobody paused it.
        after = await nurse.context.new_page()
        await after.route_web_socket(
            "**/live",
            lambda route: route.connect_to_server().on_message(
                lambda frame: route.send(later(str(frame), 120_000))
            ),
        )
        await after.goto(chain.view.address)
        await after.wait_for_selector(tile(bed.bed))
        other = await open_page(browser, chain.view)
        heads = [await page.evaluate(head(bed.bed)) for page in (after, other)]

        assert kind == "audio-paused"
        assert strips.startswith("! Temp 39.6 > 39")  # it is seen as before
        assert still == ""
        assert not any("sound paused" in text for text in heads)
        await other.context.close()


async def test_13_a_high_alarm_that_ends_unacknowledged_stays_until_it_is_seen(
    chain: Chain, nurse: Page
):
    async with chain.take(1) as (bed,):
        bed.pinned = DESATURATED
        await until(nurse, f"{strip(bed.bed)} === '!!! SpO₂ 79 < 80'")
        bed.pinned = {}
        await until(nurse, f"{strip(bed.bed)}.startsWith('(!!!) SpO₂ 79 < 80, end')")
        looks = await nurse.get_attribute(tile(bed.bed), "class")
        row = await nurse.inner_text(f".row:has-text('{bed.bed}')")
        await nurse.focus(tile(bed.bed))
        await nurse.keyboard.press("a")
        await until(nurse, f"!{strip(bed.bed)}.includes('SpO₂ 79')")

        assert "high latched" in (looks or "")
        assert ", not acknowledged" in row


# Pulses in a burst: where the loudness passes a half of the most, there and back.
RENDER = """async (p) => {
  const rate = 8000;
  const audio = new OfflineAudioContext(1, 5 * rate, rate);
  window.icuSound.burst(audio, p, 0.1, 0.8);
  const samples = (await audio.startRendering()).getChannelData(0);
  const pulses = [];
  let peak = 0;
  let began = null;
  let quiet = 0;
  samples.forEach((x, i) => {
    peak = Math.max(peak, Math.abs(x));
    if (Math.abs(x) > 0.2) {
      if (began === null) began = i;
      quiet = 0;
    } else if (began !== null && ++quiet > rate * 0.02) {
      pulses.push([began / rate, (i - quiet - began) / rate]);
      began = null;
    }
  });
  return [peak, pulses];
}"""


async def test_14_a_burst_has_ten_three_or_one_pulses(page: Page):
    """Rendered without a loudspeaker: what the page plays is counted."""
    for priority, seconds, groups in (
        (1, 0.2, [1]),
        (2, 0.2, [3]),
        (3, 0.12, [3, 2, 3, 2]),
    ):
        peak, pulses = await page.evaluate(RENDER, priority)
        heard = [1]
        for (start, long), (following, _) in itertools.pairwise(pulses):
            # A group ends where the silence is longer than one between its own pulses.
            if following - start - long > 0.25:
                heard.append(0)
            heard[-1] += 1

        assert heard == groups
        assert all(seconds - 0.03 <= long <= seconds for _, long in pulses)
        assert 0.5 < peak <= 0.81


SUSPENDED = """window.AudioContext = class extends AudioContext {
  constructor() {
    super();
    this.suspend();
  }
};"""


async def test_14_a_locked_sound_says_so_until_somebody_presses(
    browser: Browser, chain: Chain
):
    async with chain.take(1) as (bed,):
        context = await open_context(browser, chain.view)
        await context.add_init_script(SUSPENDED)
        page = await context.new_page()
        await page.goto(chain.view.address)
        await page.wait_for_selector(tile(bed.bed))
        bed.pinned = DESATURATED
        await until(page, f"{strip(bed.bed)} === '!!! SpO₂ 79 < 80'")
        locked = await page.inner_text("#sound")
        heard = await page.evaluate(SOUNDED)
        await page.get_by_role("button", name="SOUND LOCKED").click()
        await until(page, f"{SOUNDED}.startsWith('3 ')")

        assert locked == "SOUND LOCKED: press to enable"
        assert heard == ""
        assert await page.inner_text("#sound") == "80 %"
        await context.close()


async def test_14_a_lost_connection_sounds_high_and_a_phone_is_silent(
    browser: Browser, chain: Chain
):
    is_cut = False
    cut = {"frames": lambda frame: None if is_cut else frame}
    station = await open_page(browser, chain.view, **cut)
    phone = await open_page(browser, chain.view, (390, 844), **cut)
    await unlock(station)
    before = await station.evaluate(SOUNDED)

    is_cut = True
    await until(station, f"{SOUNDED}.startsWith('3 ')")
    await until(phone, "document.body.className === 'lost'")
    offered = await station.inner_text("#sound")
    await station.get_by_role("button", name="Pause sound 2 min").click()
    await until(station, f"/1:5\\d|2:00/.test({SOUND})")

    assert before == ""
    assert "Pause sound 2 min" in offered
    assert await phone.evaluate(SOUNDED) == ""
    assert await phone.inner_text("#sound") == "AUDIO OFF"
    await station.context.close()
    await phone.context.close()


async def test_18_the_order_of_the_beds_is_the_same_over_sixty_alarms(
    shared: tuple[Hospital, WardView], page: Page
):
    """Sixty turns of a second, in a tenth of the time: a planted producer's."""
    hospital, _ = shared
    await page.evaluate(
        """() => {
          window.orders = new Set();
          const look = () => window.orders.add(
            [...document.querySelectorAll(".tile")].map((t) => t.dataset.bed).join());
          new MutationObserver(look).observe(document.querySelector("#ward"),
            { childList: true, subtree: true, attributes: true, characterData: true });
          look();
        }"""
    )

    open_: list[Alert] = []
    for turn in range(60):
        priority = list(Priority)[turn % 3]
        fields: dict[str, Any] = {"value": 131, "limit": 120}
        open_.append(await hospital.alarm(turn * 7 % 16, "hr.high", priority, **fields))
        if turn % 2:
            await clear(hospital, open_.pop(0))
        await asyncio.sleep(0.1)
    await clear(hospital, *open_)
    await until(page, f"{chip('high')} + {chip('medium')} + {chip('low')} === 0")

    assert await page.evaluate("[...window.orders]") == [
        ",".join(patient.bed for patient in hospital.patients)
    ]


async def test_18_a_screen_may_have_the_worst_first_but_never_under_a_hand(
    chain: Chain, browser: Browser
):
    ahead_ms = 0
    page = await open_page(
        browser, chain.view, frames=lambda frame: later(frame, ahead_ms)
    )
    first = "document.querySelector('.tile').dataset.bed"
    order = [bed.bed for bed in chain.hospital.patients]
    async with chain.take(16) as beds:
        bad, worse, worst = beds[9], beds[11], beds[13]
        bad.pinned = FEVER
        await until(page, f"{strip(bad.bed)} !== ''")
        unasked = await page.evaluate(first)
        await unlock(page)
        await page.click("#sound button")
        await page.get_by_label("Tiles").select_option("worst first")
        await page.get_by_role("button", name="Close").click()
        await page.hover("#attn")
        await until(page, f"{first} === '{bad.bed}'")

        worse.pinned = DESATURATED
        await until(page, f"{strip(worse.bed)} !== ''")
        too_soon = await page.evaluate(first)
        await page.hover(tile(beds[3].bed))
        ahead_ms += 10_000
        await asyncio.sleep(1)
        under_a_pointer = await page.evaluate(first)
        await page.hover("#attn")
        await until(page, f"{first} === '{worse.bed}'")

        await page.focus(tile(beds[3].bed))
        worst.pinned = {"spo2": 78, "hr": 150}
        await until(page, f"{strip(worst.bed)} !== ''")
        ahead_ms += 10_000
        await asyncio.sleep(1)
        under_the_keys = await page.evaluate(first)

        assert unasked == order[0]
        assert too_soon == bad.bed
        assert under_a_pointer == bad.bed
        assert under_the_keys == worse.bed
    await page.context.close()


CONTROLS = """() => [...document.querySelectorAll(
  "button, a[href], select, input, summary, [tabindex='0']")]
  .filter((e) => e.offsetParent && !e.disabled)"""
FOCUS = f"""() => {{
  const here = document.activeElement;
  const style = getComputedStyle(here);
  const box = here.getBoundingClientRect();
  const isOnScreen = box.bottom > 0 && box.top < innerHeight && box.right > 0;
  const isSeen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  return [({CONTROLS})().indexOf(here), isSeen && isOnScreen, here.outerHTML.slice(0, 80)];
}}"""
BED = "document.activeElement.dataset.bed"


async def all_tabbed(page: Page) -> tuple[int, set[int], list[str]]:
    """How many controls there were, which were reached by Tab, which without being seen."""
    everything = await page.evaluate(f"({CONTROLS})().length")
    reached, unseen = set(), []
    for _ in range(everything + 1):
        await page.keyboard.press("Tab")
        index, is_seen, what = await page.evaluate(FOCUS)
        reached.add(index)
        if index >= 0 and not is_seen:
            unseen.append(what)
    return everything, reached, unseen


async def test_22_the_keyboard_reaches_everything_and_is_seen(
    chain: Chain, nurse: Page
):
    async with chain.take(1) as (bed,):
        bed.pinned = DESATURATED
        await until(nurse, f"{strip(bed.bed)} === '!!! SpO₂ 79 < 80'")
        everything, reached, unseen = await all_tabbed(nurse)
        # Another alarm of the ward may have come or gone meanwhile, with its row.
        while everything != await nurse.evaluate(f"({CONTROLS})().length"):
            everything, reached, unseen = await all_tabbed(nurse)
        await nurse.focus(tile(chain.hospital.patients[0].bed))
        beds = [await nurse.evaluate(BED)]
        for key in ["ArrowRight"] * 15 + ["ArrowUp", "ArrowLeft", "ArrowDown"]:
            await nurse.keyboard.press(key)
            beds.append(await nurse.evaluate(BED))
        await nurse.keyboard.press("?")
        keys = await nurse.inner_text("dialog.keys")
        await nurse.keyboard.press("Escape")
        await nurse.wait_for_selector("dialog.keys", state="detached")
        after_help = await nurse.evaluate(BED)
        await nurse.keyboard.press("Enter")
        await nurse.wait_for_selector("#bed .close:focus")
        await nurse.keyboard.press("Escape")
        await nurse.wait_for_selector("#bed", state="hidden")

        assert reached - {-1} == set(range(everything))
        assert unseen == []
        names = [patient.bed for patient in chain.hospital.patients]
        assert beds == [*names, names[11], names[10], names[14]]
        assert "acknowledge" in keys
        assert "Alarms paused everywhere" in keys
        assert after_help == names[14]
        assert await nurse.evaluate(BED) == names[14]


SPOKEN = """() => {
  window.spoken = [];
  new MutationObserver((changes) => changes.forEach((change) =>
    change.addedNodes.forEach((node) => window.spoken.push(node.textContent))))
    .observe(document.querySelector("[aria-live='assertive']"), { childList: true });
}"""


async def test_23_each_new_high_alarm_is_read_out_once(chain: Chain, browser: Browser):
    frames = Frames()
    page = await open_page(browser, chain.view, frames=frames)
    await page.evaluate(SPOKEN)
    async with chain.take(3) as (one, other, low):
        low.pinned = FEVER
        one.pinned = DESATURATED
        await until(page, f"{strip(one.bed)} === '!!! SpO₂ 79 < 80'")
        other.pinned = DESATURATED
        await until(page, f"{strip(other.bed)} === '!!! SpO₂ 79 < 80'")
        await frames.lose(1)  # the page connects anew and is told everything again
        await until(page, f"{strip(low.bed)} !== ''")
        spoken = await page.evaluate("window.spoken")

        beds = [f"Bed {bed.bed}: SpO₂ 79" for bed in (one, other)]
        assert [
            text[: len(bed)] for text, bed in zip(spoken, beds, strict=True)
        ] == beds
    await page.context.close()
