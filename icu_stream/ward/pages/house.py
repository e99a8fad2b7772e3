"""What the pages are made from, and where they are joined to the server."""

from collections.abc import Callable, Mapping

from dash import Dash
from fastapi import FastAPI

from icu_stream.access.desk import Desk
from icu_stream.access.roles import Page
from icu_stream.access.whatif import Runner, Runs
from icu_stream.domain.burden import unit_of
from icu_stream.domain.limits import Rules
from icu_stream.settings import Settings
from icu_stream.ward.pages import Show, alarms, burden, limits, whatif_page
from icu_stream.ward.pages.chronicle import Chronicle
from icu_stream.ward.pages.reading import Reader
from icu_stream.ward.pages.watched import Watched
from icu_stream.ward.tiles import Ward


class House:
    """The pages beside the ward, and what they know.

    Args:
        settings: Where Kafka is.
        ward: Who lies where.
        desk: Where commands go.
        rules: The profile.
        runner: Makes who works out what-ifs.
    """

    def __init__(
        self,
        settings: Settings,
        ward: Ward,
        desk: Desk,
        rules: Rules,
        runner: Callable[[], Runner],
    ) -> None:
        self._ward = ward
        self._desk = desk
        self._rules = rules
        self._log = Chronicle()
        self._watched = Watched()
        self._runs = Runs(runner)
        self._reader = Reader(settings, self._log, self._watched)

    async def run(self) -> None:
        """Read Kafka until cancelled; what is being worked out ends then, too."""
        try:
            await self._reader.run()
        finally:
            self._runs.close()

    def routes(self, api: FastAPI) -> None:
        """Add what is fetched and is no page of Dash."""
        for address, handle in (
            ("/alarms.csv", alarms.table(self._log, self._bed_of)),
            ("/alarms.html", alarms.paper(self._log, self._bed_of)),
        ):
            api.add_api_route(address, handle, methods=["GET"])

    def shows(self, app: Dash) -> Mapping[Page, Show]:
        """Attach the pages' callbacks, and say what shows each."""
        return {
            Page.ALARMS: alarms.register(app, self._log, self._bed_of),
            Page.BURDEN: burden.register(app, self._log, self._watched, self._units),
            Page.LIMITS: limits.register(
                app, self._log, self._ward, self._desk, self._rules
            ),
            Page.WHATIF: whatif_page.register(
                app, self._log, self._ward, self._desk, self._rules, self._runs
            ),
        }

    def _bed_of(self, patient_id: str) -> str:
        """Where a patient lies now; empty where that is not known."""
        patient = self._ward.patient(patient_id)
        return "" if patient is None else patient.bed

    def _units(self) -> list[str]:
        """Units of the beds that are known."""
        return sorted({unit_of(p.bed) for p in self._ward.patients()} - {""})
