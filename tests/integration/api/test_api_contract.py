"""The API against its own OpenAPI document: what it says of itself is so.

schemathesis makes requests from the document, good ones and bad ones, and holds every
answer against it. The live stream never ends, and is tested by itself (test_api.py).
"""

import schemathesis

from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig

from icu_stream.access.roles import Role
from icu_stream.api import document
from icu_stream.api.routes import ROUTES
from tests.service import House


_CONFIG = SchemathesisConfig.from_dict(
    {
        "generation": {"mode": "all", "max-examples": 8, "deterministic": True},
        "checks": {
            # 412: an If-Match that was made up never fits. 422: a key that was used
            # before. 429: a person has one backtest at a time, and few at once.
            "positive_data_acceptance": {
                "expected-statuses": [
                    "2xx",
                    "304",
                    "401",
                    "403",
                    "404",
                    "409",
                    "412",
                    "422",
                    "429",
                ]
            },
        },
    }
)


schema = schemathesis.openapi.from_dict(
    document.document(ROUTES), config=_CONFIG
).exclude(path="/v1/stream")


@schema.parametrize()
@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_as_the_document_says(
    case: schemathesis.Case, house: House
) -> None:
    role = Role.INTEGRATION if case.path.endswith(_OF_THE_HOSPITAL) else Role.CHARGE

    case.call_and_validate(base_url=house.api.url, headers=house.headers(role))


_OF_THE_HOSPITAL = ("/admit", "/transfer", "/discharge")
