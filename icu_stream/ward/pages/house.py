"""What the pages are made from, and where they are joined to the server."""

from collections.abc import Mapping
from dataclasses import dataclass

from dash import Dash
from fastapi import FastAPI

from icu_stream.access.roles import Page
from icu_stream.ward.pages import Show, alarms
from icu_stream.ward.pages.chronicle import Chronicle
from icu_stream.ward.tiles import Ward


@dataclass(frozen=True)
class House:
    """What the pages beside the ward need.

    Attributes:
        ward: Who lies where.
        log: What was said and asked.
    """

    ward: Ward
    log: Chronicle

    def routes(self, api: FastAPI) -> None:
        """Add what is fetched and is no page of Dash."""
        api.add_api_route(
            "/alarms.csv", alarms.table(self.log, self.bed_of), methods=["GET"]
        )
        api.add_api_route(
            "/alarms.html", alarms.paper(self.log, self.bed_of), methods=["GET"]
        )

    def shows(self, app: Dash) -> Mapping[Page, Show]:
        """Attach the pages' callbacks, and say what shows each."""
        return {Page.ALARMS: alarms.register(app, self.log, self.bed_of)}

    def bed_of(self, patient_id: str) -> str:
        """Where a patient lies now; empty where that is not known."""
        patient = self.ward.patient(patient_id)
        return "" if patient is None else patient.bed
