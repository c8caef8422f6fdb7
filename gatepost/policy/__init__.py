"""Pure decisions: frozen facts in, a frozen verdict with its reason out. No I/O, no clock, no logging."""
