"""What the alarms asked of people: key `patient_id NUL piece`, value one piece, msgpack.

Folded from the alerts topic, whose partitions it has; people's feedback comes from the
command results. It stands beside the alarm path: see `icu_stream.engine.notebook`.
"""

from icu_stream.contracts import topics
from icu_stream.domain import burden
from icu_stream.engine.application import app
from icu_stream.engine.partition import Codec


burdens = app.note(
    "burden",
    Codec(burden.new, burden.save, burden.restore),
    topics.ALERTS,
    topics.COMMAND_RESULTS,
)
