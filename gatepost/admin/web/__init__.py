"""The web console and the REST API: pages and JSON on `admin.operations`, no logic of their own."""
