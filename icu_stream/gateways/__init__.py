"""How the hospital's other systems speak with icu-stream: HL7 v2, FHIR and CSV.

`codes` is the one table of codes and units. `hl7v2`, `pcd01`, `pcd04`, `fhir` and
`flatfile` turn bytes into messages and back, and do nothing else; `mllp` owns the
socket, `inlet` Kafka. The processes are `monitors`, `fhir_server` and `alarm_manager`.
"""
