"""`destconfig`: entries, the default, and the table as a text."""

from __future__ import annotations

from gatepost.admin.console.destinations import destconfig
from gatepost.admin.operations import certificates, destinations, files
from gatepost.admin.operations.operator import Operator
from gatepost.config.model import DefaultDestination, DestinationControl, RecipientRate
from tests.admin.console.dialogues import run


async def typed(operator: Operator, *lines: str) -> str:
    return await run(destconfig, operator, *lines, "")


NEW = ("new", "example.com", "", "100", "", "y", "", "1000", "y", "5", "", "")


async def test_new_asks_as_the_appliance_does(operator: Operator) -> None:
    screen = await typed(operator, *NEW)
    assert "There are currently 0 entries configured." in screen
    assert "There is currently 1 entry configured." in screen
    for question in (
        "Do you wish to configure a concurrency limit for example.com?\n[Y]> \n",
        'Enter the max concurrency limit for "example.com".\n[500]> \n',
        "Do you wish to apply a recipient limit to this domain?\n[N]> \n",
        "Enter the number of minutes used to measure the recipient limit.\n[60]> \n",
        'Enter the max number of recipients per 60 minutes for "example.com".\n[]> \n',
        "Do you wish to apply a specific TLS setting for this domain?\n[N]> \n",
        "Do you want to use TLS support?\n1. No\n2. Preferred\n3. Required\n4. Preferred - Verify\n"
        "5. Required - Verify\n6. Required - Verify Hosted Domains\n[2]> \n",
        "Do you wish to apply a specific bounce profile to this domain?\n[N]> \n",
        "Nothing is live before `commit`.",
    ):
        assert question in screen, question
    rate = RecipientRate(recipients=1000, minutes=60)
    wanted = DestinationControl(max_connections=100, recipients_per_minutes=rate, tls="required-verify")
    assert destinations.listing(operator) == {"example.com": wanted}


async def test_edit_keeps_what_an_empty_line_confirms_and_no_gives_back_to_the_default(operator: Operator) -> None:
    await typed(operator, *NEW)
    await typed(operator, "edit", "example.com", "", "", "", "", "", "", "", "", "", "")
    assert destinations.find(operator, "example.com").max_connections == 100
    await typed(operator, "edit", "1", "n", "n", "n", "y", "1", "n", "n")
    assert destinations.find(operator, "example.com") == DestinationControl(tls="no")


async def test_answers_that_will_not_do_are_asked_again(operator: Operator) -> None:
    wrong = ("new", "*.example", "user@a.example", "a.example", "", "none", "0", "7", "", "", "", "", "")
    screen = await typed(operator, *wrong)
    assert "holds a wildcard" in screen
    assert "is a mail address" in screen
    assert destinations.find(operator, "a.example").max_connections == 7
    screen = await typed(operator, "new", "A.example", "b.example", "n", "", "", "", "", "")
    assert "there is a destination control 'a.example' already" in screen
    assert destinations.find(operator, "b.example") == DestinationControl()


async def test_delete_and_clear(operator: Operator) -> None:
    for domain in ("a.example", "b.example", "c.example"):
        destinations.put(operator, domain, DestinationControl(tls="no"))
    await typed(operator, "delete", "b.example")
    assert list(destinations.listing(operator)) == ["a.example", "c.example"]
    await typed(operator, "clear", "")
    assert list(destinations.listing(operator)) == ["a.example", "c.example"]
    assert "There are currently 0 entries configured." in await typed(operator, "clear", "y")
    assert destinations.listing(operator) == {}
    assert "There is none yet." in await typed(operator, "delete")


async def test_the_default_is_changed(operator: Operator) -> None:
    await typed(operator, "default", "300", "", "y", "30", "90", "3", "", "")
    assert destinations.default(operator) == DefaultDestination(
        max_connections=300, tls="required", recipients_per_minutes=RecipientRate(recipients=90, minutes=30)
    )


async def test_list_and_detail_show_what_comes_from_the_default(operator: Operator) -> None:
    destinations.put(operator, ".clinic.example", DestinationControl(tls="required-verify-hosted"))
    screen = await typed(operator, "list")
    rows = {line.split()[0]: line.split() for line in screen.splitlines() if line.startswith(("(default)", ".clinic"))}
    assert rows["(default)"] == ["(default)", "500", "-", "preferred", "Default"]
    assert rows[".clinic.example"] == [".clinic.example", "-", "-", "required-verify-hosted", "-"]
    screen = await typed(operator, "detail", ".clinic.example")
    found = {line.split()[0]: line.split()[1:] for line in screen.splitlines() if line.startswith(("tls ", "max_conn"))}
    assert found == {"tls": ["required-verify-hosted", ".clinic.example"], "max_connections": ["500", "default"]}


async def test_export_import_export_is_identical(operator: Operator) -> None:
    rate = RecipientRate(recipients=5, minutes=1)
    destinations.put(operator, "a.example", DestinationControl(tls="required", recipients_per_minutes=rate))
    destinations.put(operator, ".b.example", DestinationControl(max_connections=2, bounce_profile="Default"))
    before = (destinations.listing(operator), destinations.default(operator))
    await typed(operator, "export", "dest.ini")
    await typed(operator, "clear", "y", "default", "1", "1", "n", "1", "", "")
    screen = await typed(operator, "import", "2")
    assert "2 entries imported.\nNothing is live before `commit`." in screen
    assert (destinations.listing(operator), destinations.default(operator)) == before
    await typed(operator, "export", "again.ini")
    assert files.read(operator, "again.ini") == files.read(operator, "dest.ini")


async def test_an_import_with_bad_lines_tells_each_and_changes_nothing(operator: Operator) -> None:
    destinations.put(operator, "a.example", DestinationControl(tls="required"))
    whole = destinations.export_text(operator)
    bad = whole.replace("max_host_concurrency = 500", "max_host_concurrency = many") + "bounce_profile = Nobody\n"
    files.write(operator, "bad.ini", bad)
    screen = await typed(operator, "import", "2")
    assert "line 5" in screen
    assert "max_host_concurrency = many is out of place" in screen
    assert destinations.export_text(operator) == whole
    files.write(
        operator, "bad.ini", whole + "bounce_profile = Nobody\ntls_profile = nothing\n[b.example]\nbounce_profile = X\n"
    )
    screen = await typed(operator, "import", "2")
    said = " ".join(screen.split())
    place = 'destinations."a.example"'
    assert f'line 15 {place}.bounce_profile = "Nobody" names no bounce profile' in said
    assert f'line 16 {place}.tls_profile = "nothing" names no TLS profile' in said
    assert 'line 18 destinations."b.example".bounce_profile = "X" names no bounce profile' in said
    assert destinations.export_text(operator) == whole


async def test_setup_chooses_the_certificate_for_delivery(operator: Operator) -> None:
    certificates.make_self_signed(operator, "mx", hostnames=["mx.example"])
    await typed(operator, "setup", "mx")
    assert destinations.default(operator).certificate == "mx"
    await typed(operator, "setup", "1")
    assert destinations.default(operator).certificate == ""
