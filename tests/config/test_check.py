"""What `check` finds: for each rule one document that breaks it, and the sentence that tells."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest

from gatepost.config import toml
from gatepost.config.check import check, errors, warnings
from gatepost.config.edit import set_path
from gatepost.config.model import Certificate, Config, Listener, SenderGroup
from gatepost.config.problems import Problem
from tests.config.documents import NOW, certificate

GATEWAY = """
[gateway]
hostname = "mx1.example.com"
"""
GOOD = f"""{GATEWAY}[listeners.A]
port = 2525
[[listeners.A.recipients]]
match = "example.com"
"""


def whole(text: str, **certificates: Certificate) -> Config:
    return msgspec.structs.replace(toml.loads(text), certificates=certificates)


def found(text: str, **certificates: Certificate) -> list[Problem]:
    return check(whole(text, **certificates) if certificates else toml.loads(text), NOW.timestamp())


def test_a_good_document_has_no_problems() -> None:
    assert found(GOOD) == []


def test_the_defaults_are_only_warned_of() -> None:
    told = check(Config())
    assert errors(told) == []
    assert [problem.path for problem in warnings(told)] == ["gateway.hostname", "listeners"]


# Each: what is added to GOOD, the path, and a piece of the sentence. `-` before the path: a warning.
RULES = [
    ('[certificates."a b"]\ncertificate = ""\nprivate_key = ""', 'certificates."a b"', "is not a name"),
    ('[listeners.A.policies."-"]', "listeners.A.policies.-", "is not a name"),
    ("[listeners.A.policies.relay]\nbehavior = 'relay'", "listeners.A.policies.relay", "bare behaviour"),
    ("[[listeners.A.sender_groups]]\nname = ''\npolicy = 'ACCEPT'", "listeners.A.sender_groups[0].name", "is not a name"),
    (
        "[[listeners.A.sender_groups]]\nname = 'P'\npolicy = 'ACCEPT'\ncomment = \"a\\nb\"",
        "listeners.A.sender_groups.P.comment",
        "control character",
    ),
    ('[listeners.B]\ninterface = "a\\u2028b"', "listeners.B.interface", "control character"),
    ("[listeners.B]\nport = 0", "listeners.B.port", "at least 1"),
    ("[listeners.B]\nport = 65536", "listeners.B.port", "at most 65535"),
    ("[listeners.B]\nmax_concurrency = -1", "listeners.B.max_concurrency", "at least 1"),
    (
        "[listeners.B.default_policy]\nmax_message_size = '10Q'",
        "listeners.B.default_policy.max_message_size",
        "is not a size",
    ),
    ("[listeners.B.default_policy]\nmax_message_size = -2", "listeners.B.default_policy.max_message_size", "or -1"),
    ("[listeners.B.policies.P]\nmax_recipients_per_hour = 0", "listeners.B.policies.P.max_recipients_per_hour", "or -1"),
    ("[default_destination]\nmax_connections = 0", "default_destination.max_connections", "at least 1"),
    (
        "[destinations.'a.b']\nrecipients_per_minutes = { recipients = 0, minutes = 61 }",
        'destinations."a.b".recipients_per_minutes.minutes',
        "at most 60",
    ),
    ("[bounce_profiles.Q]\nmax_wait = 3", "bounce_profiles.Q.max_wait", "less than initial_wait"),
    ("[listeners.B]\naddress = 'localhost'", "listeners.B.address", "is not an IP address"),
    ("[listeners.B]\naddress = '10.0.0'", "listeners.B.address", "is not an IP address"),
    ("[listeners.B]\ndefault_domain = 'x'", "listeners.B.default_domain", "full domain name"),
    ("[listeners.B]\nbounce_profile = 'default'", "listeners.B.bounce_profile", "did you mean Default?"),
    ("[listeners.B]\ncertificates = ['mx']", "listeners.B.certificates[0]", "names no certificate"),
    ("[listeners.B.default_policy]\ntls = 'preferred'", "listeners.B.certificates", "needs a certificate"),
    ("[listeners.B.policies.P]\ntls = 'required'", "listeners.B.certificates", "policies.P.tls = required"),
    ("[listeners.B.policies.P]\ntls_profile = 'inbond'", "listeners.B.policies.P.tls_profile", "did you mean inbound?"),
    (
        "[listeners.B.default_policy]\ntls_mandatory_senders = 'x'",
        "listeners.B.default_policy.tls_mandatory_senders",
        "names no",
    ),
    (
        "[address_lists.x]\n[listeners.B.default_policy]\ntls_mandatory_senders = 'x'",
        "-listeners.B.default_policy.tls_mandatory_senders",
        "has no effect with tls = no",
    ),
    (
        "[address_lists.x]\n[listeners.B.policies.P]\ntls_mandatory_senders = 'x'\ntls = 'required'",
        "-listeners.B.policies.P.tls_mandatory_senders",
        "everybody must encrypt",
    ),
    (
        "[listeners.B.policies.P]\ntls_peer_names = ['*.x.example']",
        "listeners.B.policies.P.tls_peer_names[0]",
        "not a domain",
    ),
    ("[listeners.B.policies.P]\ntls_peer_names = ['x.example']", "-listeners.B.policies.P.tls_peer_names", "has no effect"),
    ("[listeners.B.policies.P]\nbehavior = 'reject'\ntls = 'no'", "-listeners.B.policies.P.behavior", "have no effect"),
    ("[listeners.B]\nport = 2525", "listeners.B.port", "already taken by listeners.A (0.0.0.0)"),
    ("[listeners.B]\nport = 2525\naddress = '127.0.0.1'", "listeners.B.port", "already taken"),
    (
        "[listeners.B]\nport = 2525\naddress = '::'\n[listeners.C]\nport = 2525\naddress = '::1'",
        "listeners.C.port",
        "taken by lis",
    ),
    ("[listeners.B]\nall_hosts = 'accept'", "listeners.B.all_hosts", "did you mean ACCEPT?"),
    ("[listeners.B]\nall_hosts = 'CONTINUE'", "listeners.B.all_hosts", "nothing stands below"),
    ("[listeners.B]\nall_hosts = 'P'\n[listeners.B.policies.P]\nbehavior = 'relay'", "-listeners.B.all_hosts", "open relay"),
    (
        "[listeners.B]\ntype = 'private'\n[[listeners.B.recipients]]\nmatch = 'a.b'",
        "-listeners.B.recipients",
        "have no effect",
    ),
    ("[listeners.B]", "-listeners.B.recipients", "accept nobody"),
    ("[[listeners.A.recipients]]\nmatch = '*.a.b'", 'listeners.A.recipients."*.a.b".match', "write .example.com"),
    ("[[listeners.A.recipients]]\nmatch = 'Example.com'", '-listeners.A.recipients."Example.com".match', "never matches"),
    (
        "[[listeners.A.recipients]]\nmatch = 'x@example.com'",
        '-listeners.A.recipients."x@example.com".match',
        "example.com stands",
    ),
    ("[[listeners.A.sender_groups]]\nname = 'P'\npolicy = 'accept'", "listeners.A.sender_groups.P.policy", "mean ACCEPT?"),
    (
        "[[listeners.A.sender_groups]]\nname = 'P'\npolicy = 'ACCEPT'",
        "-listeners.A.sender_groups.P.senders",
        "matches no host",
    ),
    (
        "[[listeners.A.sender_groups]]\nname = 'P'\npolicy = 'ACCEPT'\nsenders = ['SBRS[none]']",
        "listeners.A.sender_groups.P.senders[0]",
        "is not supported",
    ),
    (
        "[[listeners.A.domain_map]]\nmatch = 'old.example'\nto = '@b.example'",
        'listeners.A.domain_map."old.example".match',
        "write @old.example, @.old.example or joe@old.example",
    ),
    (
        "[[listeners.A.domain_map]]\nmatch = 'joe@'\nto = '@b.example'",
        'listeners.A.domain_map."joe@".match',
        "has no domain",
    ),
    (
        "[[listeners.A.domain_map]]\nmatch = '@.example'\nto = '@b.example'",
        'listeners.A.domain_map."@.example".match',
        "full domain name",
    ),
    (
        "[[listeners.A.domain_map]]\nmatch = '@a.example'\nto = '@.b.example'",
        'listeners.A.domain_map."@a.example".to',
        "does not say which domain",
    ),
    (
        "[[listeners.A.domain_map]]\nmatch = '@.a.example'\nto = '@b.example'\n"
        "[[listeners.A.domain_map]]\nmatch = 'joe@c.A.example'\nto = '@b.example'",
        '-listeners.A.domain_map."joe@c.A.example".match',
        "@.a.example stands above it",
    ),
    ("[address_lists.x]\naddresses = ['a.b']", "address_lists.x.addresses[0]", "has no @"),
    ("[destinations.'A.b']", 'destinations."A.b"', "write a.b"),
    ("[destinations.ALL]", "destinations.ALL", "default_destination"),
    ("[destinations.'a.b']\ntls_profile = 'x'", 'destinations."a.b".tls_profile', "names no TLS profile"),
    ("[destinations.'a.b']\nbounce_profile = 'x'", 'destinations."a.b".bounce_profile', "names no bounce profile"),
    ("[destinations.'a.b']\ndane = 'mandatory'", 'destinations."a.b".dane', "not available yet"),
    ("[default_destination]\nmta_sts = 'testing'", "default_destination.mta_sts", 'set "none"'),
    ("[default_destination]\ncertificate = 'x'", "default_destination.certificate", "names no certificate"),
    ("[routes]\n'a.b' = []", 'routes."a.b"', "needs a destination"),
    ("[routes]\n'a.b' = ['x:y']", 'routes."a.b"', "1 to 65535"),
    ("[routes]\n'*' = ['x']", 'routes."*"', "wildcard"),
    ("[tls_profiles.x]\nmethods = []", "tls_profiles.x.methods", "is empty"),
    ("[tls_profiles.x]\nmethods = ['TLSv1.2', 'TLSv1.2']", "tls_profiles.x.methods", "stands twice"),
    ("[tls_profiles.x]\nmethods = ['TLSv1.1', 'TLSv1.3']", "tls_profiles.x.methods", "add TLSv1.2"),
    ("[tls_profiles.x]\nciphers = 'NOSUCH'", "tls_profiles.x.ciphers", "matches no cipher of TLSv1.2"),
    ("[tls_profiles.x]\nciphers = 'RC4-SHA:RC4-MD5'", "tls_profiles.x.ciphers", "RFC 7465"),
    ("[tls_profiles.x]\nciphers = 'RC4-SHA:ALL'", "-tls_profiles.x.ciphers", "RC4-SHA matches nothing: RC4 is prohibited"),
    ("[tls_profiles.x]\nciphers = 'ECDHE+AESGMC:ALL'", "-tls_profiles.x.ciphers", "write ECDHE+AESGCM or"),
    ("[tls_profiles.x]\nmethods = ['TLSv1.0', 'TLSv1.2']\nciphers = 'AES'", "tls_profiles.x.methods", "add TLSv1.1"),
    ("[tls_profiles.x]\nsuites = ['TLS_AES_128_CCM_8_SHA256']", "tls_profiles.x.suites", "finds too weak"),
    ("[tls_profiles.x]\nciphers = ''", "tls_profiles.x.ciphers", "matches no cipher"),
    ("[tls_profiles.x]\nmethods = ['TLSv1.1', 'TLSv1.2']", "tls_profiles.x.ciphers", "matches no cipher of TLSv1.1"),
    ("[tls_profiles.x]\nmethods = ['TLSv1.1']\nciphers = 'ECDHE+AES:@SECLEVEL=0'", "-tls_profiles.x.methods", "RFC 8996"),
    ("[ssh]\nenabled = true\nport = 2525", "ssh.port", "already taken by listeners.A"),
    ("[ssh]\naddress = 'x'", "ssh.address", "not an IP address"),
    ("[ssh]\nport = 0", "ssh.port", "at least 1"),
    ("[tls_profiles.x]\nsuites = []", "tls_profiles.x.suites", "is empty"),
    ("[tls_profiles.x]\nsuites = ['TLS_AES_256_GCM']", "tls_profiles.x.suites", "did you mean TLS_AES_256_GCM_SHA384"),
    ("[tls_profiles.x]\ngroups = []", "tls_profiles.x.groups", "is empty"),
    ("[tls_profiles.x]\ngroups = ['X25519', 'X2551']", "tls_profiles.x.groups", "did you mean X25519"),
    ("[tls_profiles.x]\ngroups = ['X25519:P-256']", "tls_profiles.x.groups", "is not a key exchange group"),
    ("[tls_profiles.x]\ngroups = ['X25519MLKEM768']", "-tls_profiles.x.groups", "only groups that exist in TLSv1.3"),
]
GATEWAY_RULES = [
    ("hostname = 'mx1'", "gateway.hostname", "full domain name"),
    ("postmaster = 'postmaster'", "gateway.postmaster", "not a full mail address"),
    ("postmaster = 'postmaster@'", "gateway.postmaster", "not a full mail address"),
    ("dns_servers = ['dns.example']", "gateway.dns_servers[0]", "not an IP address"),
    ("metrics_address = '127.0.0.1'", "gateway.metrics_address", "lacks a port"),
    ("metrics_address = '127.0.0.1:2525'", "gateway.metrics_address", "already taken by listeners.A"),
    ("max_line_length = 999", "gateway.max_line_length", "at least 1000 octets"),
    ("certificate_authorities = 'x'", "gateway.certificate_authorities", "cannot be read"),
    ("max_hops = 0", "gateway.max_hops", "at least 1"),
]


@pytest.mark.parametrize(("addition", "path", "sentence"), RULES)
def test_each_rule_is_told_at_its_path(addition: str, path: str, sentence: str) -> None:
    _expect(found(GOOD + addition), path, sentence)


@pytest.mark.parametrize(("line", "path", "sentence"), GATEWAY_RULES)
def test_each_rule_of_the_gateway(line: str, path: str, sentence: str) -> None:
    text = GOOD.replace('hostname = "mx1.example.com"', line)
    _expect(found(text), path, sentence)


def _expect(problems: list[Problem], path: str, sentence: str) -> None:
    severity = "warning" if path.startswith("-") else "error"
    told = [str(problem) for problem in problems if problem.path == path.lstrip("-") and problem.severity == severity]
    assert any(sentence in text for text in told), [str(problem) for problem in problems]


def test_a_port_of_what_is_not_served_is_free() -> None:
    assert found(GOOD + "[ssh]\nport = 2525") == []


def test_address_families_do_not_clash() -> None:
    text = (
        "[listeners.B]\nport = 2525\naddress = '::'\n[listeners.B.default_policy]\n[[listeners.B.recipients]]\nmatch = 'a.b'"
    )
    assert found(GOOD + text) == []


def test_all_problems_come_at_once_errors_first() -> None:
    told = found(GOOD + "[listeners.B]\nport = 2525\ncertificates = ['x']\n[routes]\nX = ['']")
    assert [problem.severity for problem in told] == ["error"] * (len(told) - 1) + ["warning"]
    assert {problem.path for problem in told} >= {"listeners.B.port", "listeners.B.certificates[0]", "routes.X"}


def test_a_profile_of_tls13_alone_needs_no_ciphers() -> None:
    profile = "[tls_profiles.x]\nmethods = ['TLSv1.3']\nciphers = 'NOSUCH'\ngroups = ['X25519MLKEM768']"
    assert found(GOOD + profile) == []


def test_a_profile_without_tls13_needs_no_suites() -> None:
    assert found(GOOD + "[tls_profiles.x]\nmethods = ['TLSv1.2']\nsuites = []") == []


ECDSA_AND_RSA_ONLY = """[tls_profiles.p]
ciphers = "ECDHE+aRSA"
[listeners.A]
port = 2525
certificates = ["mx"]
[listeners.A.default_policy]
tls = "preferred"
[listeners.A.policies.OLD]
tls_profile = "p"
[[listeners.A.recipients]]
match = "example.com"
"""


def test_a_profile_needs_suites_for_the_certificates_that_it_is_used_with() -> None:
    """An RSA-only list with an ECDSA certificate: the certificate could not be shown to any client of TLS 1.2."""
    (problem,) = found(GATEWAY + ECDSA_AND_RSA_ONLY, mx=certificate())
    assert problem.path == "tls_profiles.p.ciphers"
    assert problem.wrong == "leaves certificate mx (EC P-256) without a suite in TLSv1.2, on listener A"
    assert problem.mend == "its suites are for RSA certificates: add some for ECDSA, such as ECDHE+aECDSA"
    assert problem.related == ("listeners.A.certificates", "listeners.A.policies.OLD.tls_profile")


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ('tls_profile = "p"', 'tls_profile = "inbound"'),
        ('tls_profile = "p"', 'tls_profile = "p"\ntls = "no"'),
        ('tls_profile = "p"', 'tls_profile = "p"\nbehavior = "reject"'),
        ('ciphers = "ECDHE+aRSA"', 'ciphers = "ECDHE+aRSA"\nmethods = ["TLSv1.3"]'),
    ],
)
def test_a_profile_that_never_meets_a_certificate_needs_no_suite_for_it(here: str, there: str) -> None:
    assert errors(found(GATEWAY + ECDSA_AND_RSA_ONLY.replace(here, there), mx=certificate())) == []


def test_a_policy_that_takes_no_mail_needs_no_certificate() -> None:
    told = found(GOOD + "[listeners.A.policies.P]\nbehavior = 'reject'\ntls = 'required'")
    assert errors(told) == []


USING = GOOD.replace("port = 2525", "port = 2525\ncertificates = ['mx']\ndefault_policy = { tls = 'required' }")


@pytest.mark.parametrize(
    ("first_day", "last_day", "used", "severity", "sentence"),
    [
        (-100, -1, True, "error", "expired on 2026-05-31"),
        (-100, -1, False, "warning", "expired on 2026-05-31"),
        (1, 100, True, "error", "is not valid before 2026-06-02"),
        (1, 100, False, "warning", "is not valid before 2026-06-02"),
        (-100, 13, True, "warning", "expires on 2026-06-14"),
    ],
)
def test_dates_of_certificates(first_day: int, last_day: int, used: bool, severity: str, sentence: str) -> None:
    (problem,) = found(USING if used else GOOD, mx=certificate("mx", first_day, last_day))
    assert (problem.path, problem.severity) == ("certificates.mx.certificate", severity)
    assert problem.value == '"CN=mx"'
    assert sentence in problem.wrong
    assert ("listeners.A.certificates" in problem.wrong) == (used and severity == "error")


def test_a_certificate_that_ran_out_while_in_force_holds_up_no_other_change() -> None:
    old, other = certificate("mx", -100, -1), certificate("mx", -50, -1)
    before = whole(USING, mx=old)
    renamed = set_path(before, "gateway.hostname", "urgent.example.com")
    (problem,) = check(renamed, NOW.timestamp(), in_force=before)
    assert (problem.severity, problem.path) == ("warning", "certificates.mx.certificate")
    assert "expired on 2026-05-31 00:00 UTC and is used by listeners.A.certificates" in problem.wrong
    assert errors(check(whole(USING, mx=other), NOW.timestamp(), in_force=before)), "another one must be good"
    assert errors(check(before, NOW.timestamp(), in_force=whole(GOOD, mx=old))), "nor may it come into use now"


def test_a_good_certificate_has_no_problems() -> None:
    assert found(USING, mx=certificate()) == []


def test_an_outbound_certificate_is_in_use_too() -> None:
    (problem,) = found(GOOD + "[default_destination]\ncertificate = 'mx'", mx=certificate("mx", -100, -1, server=False))
    assert problem.severity == "error"
    assert "default_destination.certificate" in problem.wrong


def test_keys_and_chains() -> None:
    one, other = certificate("one.example"), certificate("other.example")
    swapped = Certificate(certificate=one.certificate, private_key=other.private_key)
    (problem,) = found(USING, mx=swapped)
    assert problem.path == "certificates.mx.private_key"
    assert "does not match the certificate of CN=one.example" in problem.wrong
    assert "PRIVATE" not in str(problem)
    reversed_chain = Certificate(certificate=other.certificate + one.certificate, private_key=one.private_key)
    told = {problem.path: str(problem) for problem in found(USING, mx=reversed_chain)}
    assert "put the host's own certificate first" in told["certificates.mx.private_key"]
    assert "out of order" in told["certificates.mx.certificate"]


def test_unreadable_certificates() -> None:
    good = certificate()
    told = found(GOOD, mx=Certificate(certificate="x", private_key="y"), my=Certificate(certificate="", private_key="*****"))
    assert [problem.path for problem in told] == [
        "certificates.mx.certificate",
        "certificates.mx.private_key",
        "certificates.my.certificate",
        "certificates.my.private_key",
    ]
    assert "is masked" in told[3].wrong
    (problem,) = found(USING, mx=certificate("mx", -10, 100, server=False))
    assert "is not made for servers" in problem.wrong
    outbound = GOOD + '[default_destination]\ncertificate = "mx"\n'
    assert found(outbound, mx=certificate("mx", -10, 100, server=False)) == []
    (problem,) = found(outbound, mx=good)
    assert "is not made for clients" in problem.wrong
    assert (
        found(USING, mx=Certificate(certificate=good.certificate.replace("\n", "\r\n"), private_key=good.private_key)) == []
    )


def hidden_pairs(*groups: tuple[str, list[str], str]) -> list[str]:
    rows = [SenderGroup(name=name, senders=senders, policy=policy) for name, senders, policy in groups]
    told = check(Config(listeners={"A": Listener(sender_groups=rows)}), NOW.timestamp())
    return [f"{problem.value} {problem.wrong}" for problem in told if "senders[" in problem.path]


def test_a_member_that_an_earlier_group_takes_is_named_with_its_taker() -> None:
    told = hidden_pairs(
        ("WIDE", ["10.0.0.0/8", ".example.com", "2001:db8::/32"], "ACCEPT"),
        (
            "NARROW",
            ["10.1.2.3", "10.9-12", "11.0.0.1", "mx.a.example.com", "example.com", ".a.example.com", "2001:db8::7"],
            "REJECT",
        ),
    )
    taken = ["10.1.2.3", "mx.a.example.com", ".a.example.com", "2001:db8::7"]
    assert [line.split()[0].strip('"') for line in told] == sorted([*taken, "10.9-12"], key=lambda m: told_order(m, told))
    assert all("of WIDE, which stands above, takes it first" in line for line in told)


def told_order(member: str, told: list[str]) -> int:
    return next(place for place, line in enumerate(told) if line.startswith(f'"{member}"'))


def test_what_hides_nothing() -> None:
    assert hidden_pairs(("NARROW", ["10.1.2.3"], "ACCEPT"), ("WIDE", ["10.0.0.0/8"], "REJECT")) == []
    assert hidden_pairs(("ONE", ["10.0.0.0/8", "10.1.2.3", ".a.b", "x.a.b"], "ACCEPT")) == []
    assert hidden_pairs(("PASSED", ["10.0.0.0/8", ".a.b"], "CONTINUE"), ("NARROW", ["10.1.2.3", "x.a.b"], "REJECT")) == []
    assert hidden_pairs(("A", ["10.0.0.0-5"], "ACCEPT"), ("B", ["10.0.0.3-9"], "REJECT")) == []
    assert len(hidden_pairs(("A", ["10.0.0.1", "a.b"], "ACCEPT"), ("B", ["10.0.0.1", "a.b"], "REJECT"))) == 2


def test_many_hidden_members_are_summed_up() -> None:
    members = [f"10.0.0.{number}" for number in range(50)]
    rows = [
        SenderGroup(name="WIDE", senders=["10/8"], policy="ACCEPT"),
        SenderGroup(name="NARROW", senders=members, policy="REJECT"),
    ]
    told = check(Config(listeners={"A": Listener(sender_groups=rows)}))
    assert sum("never matches" in problem.wrong for problem in told) == 20
    assert any(problem.path == "listeners.A.sender_groups" for problem in told)


def test_a_hundred_thousand_members_are_checked_in_time() -> None:
    groups = [
        SenderGroup(
            name=f"G{group}",
            policy="ACCEPT",
            senders=[f"10.{group}.{i >> 8 & 255}.{i & 255}" for i in range(10_000)] + [f"10.{group}/16"],
        )
        for group in range(10)
    ]
    start = time.process_time()
    told = check(Config(listeners={"A": Listener(sender_groups=groups)}))
    assert time.process_time() - start < 5
    assert errors(told) == []


def test_duplicate_group_names() -> None:
    rows = [
        SenderGroup(name="P", senders=["10.0.0.1"], policy="ACCEPT"),
        SenderGroup(name="P", senders=["a.b"], policy="ACCEPT"),
    ]
    told = errors(check(Config(listeners={"A": Listener(sender_groups=rows)})))
    assert [problem.path for problem in told] == ["listeners.A.sender_groups[0].name", "listeners.A.sender_groups[1].name"]


def test_the_example_can_be_committed_with_a_certificate_of_its_name() -> None:
    text = (Path(__file__).parents[2] / "examples" / "partner-tls.toml").read_text()
    assert found(text, mx=certificate()) == []
