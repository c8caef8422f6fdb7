"""Every operator verb once, and the faces that show them: command line, console, API, web."""
