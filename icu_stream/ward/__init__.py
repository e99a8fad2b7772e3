"""The live ward view: Kafka in, one WebSocket out, tiles drawn by ward.js."""
