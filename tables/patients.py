"""The patients' saved state: key `patient_id NUL piece`, value one piece, msgpack.

One table holds all pieces of a patient (hot state, raw and hourly windows, model), so
that one checkpoint writes what changed of them in one transaction and one batch.
Partitions are those of the vitals topic.
"""

from icu_stream.domain import patient
from icu_stream.engine.application import app
from icu_stream.engine.partition import Codec


patients = app.keep("patients", Codec(patient.new, patient.save, patient.restore))
