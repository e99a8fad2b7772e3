"""What the pages are made from, and where they are joined to the server."""

from collections.abc import Mapping

from dash import Dash
from fastapi import FastAPI

from icu_stream.access.roles import Page
from icu_stream.domain.burden import unit_of
from icu_stream.settings import Settings
from icu_stream.ward.pages import Show, alarms, burden
from icu_stream.ward.pages.chronicle import Chronicle
from icu_stream.ward.pages.reading import Reader
from icu_stream.ward.pages.watched import Watched
from icu_stream.ward.tiles import Ward


class House:
    """The pages beside the ward, and what they know.

    Args:
        settings: Where Kafka is.
        ward: Who lies where.
    """

    def __init__(self, settings: Settings, ward: Ward) -> None:
        self._ward = ward
        self._log = Chronicle()
        self._watched = Watched()
        self._reader = Reader(settings, self._log, self._watched)

    async def run(self) -> None:
        """Read Kafka until cancelled."""
        await self._reader.run()

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
        }

    def _bed_of(self, patient_id: str) -> str:
        """Where a patient lies now; empty where that is not known."""
        patient = self._ward.patient(patient_id)
        return "" if patient is None else patient.bed

    def _units(self) -> list[str]:
        """Units of the beds that are known."""
        return sorted({unit_of(p.bed) for p in self._ward.patients()} - {""})
