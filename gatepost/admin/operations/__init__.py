"""Every operator verb once, by subject. Command line, console, REST and web only translate to and from these functions.

A verb takes an `Operator` first, returns values, and refuses with a GatepostError of one clear sentence.
"""
