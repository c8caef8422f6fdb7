"""The package as it is installed."""

from importlib.metadata import version

import gatepost


def test_the_package_states_the_version_it_is_installed_as() -> None:
    assert gatepost.__version__ == version("gatepost")
