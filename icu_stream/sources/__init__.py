"""Where vitals come from when no monitor is connected: simulator and replay."""
