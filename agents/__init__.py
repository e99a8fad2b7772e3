"""Faust agents, one module a topic. They listen and hand over; they decide nothing."""
