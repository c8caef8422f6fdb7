"""The configuration document (config/toml.py, decode.py, check.py, exchange.py, diff.py, snapshot.py).

Any octets are a Config or a list of problems, each told in one line; nothing else is raised. A Config written out, with
every field or with few, reads back as the same; exported without its keys and imported over itself it is the same; no export
shows a key. A document without errors can be made ready to run, or says in one ConfigErrors why not.
"""

from __future__ import annotations

from gatepost.config.check import check as judge
from gatepost.config.diff import differences, unified
from gatepost.config.edit import get_path
from gatepost.config.exchange import examine
from gatepost.config.model import Config
from gatepost.config.problems import MASK, ConfigErrors, Problem, errors
from gatepost.config.toml import dumps, loads
from gatepost.snapshot import Snapshot

WORDS = (
    b"[gateway]\n",
    b"hostname = ",
    b'"mx1.example.com"',
    b"[certificates.mx]\n",
    b'private_key = "*****"\n',
    b"[tls_profiles.inbound]\n",
    b"methods = [",
    b'"TLSv1.3"',
    b"ciphers = ",
    b"[address_lists.x]\n",
    b"addresses = [",
    b'"@.example"',
    b"[listeners.In]\n",
    b"[listeners.In.default_policy]\n",
    b"[listeners.In.policies.P]\n",
    b"[[listeners.In.sender_groups]]\n",
    b"[[listeners.In.recipients]]\n",
    b"senders = [",
    b'"192.0.2.0/24"',
    b'"2001:db8::/32"',
    b'"10.0.0.1-20"',
    b'".partner.example"',
    b"policy = ",
    b'tls = "required"\n',
    b'behavior = "reject"\n',
    b'max_message_size = "10M"\n',
    b'[destinations."x.example"]\n',
    b"recipients_per_minutes = { recipients = 1, minutes = 1 }\n",
    b"[routes]\n",
    b'"example.com" = ["10.0.0.5:25/pri=10"]\n',
    b'["/dev/null"]',
    b'["USEDNS"]',
    b"[bounce_profiles.Default]\n",
    b"max_retries = 1\n",
    b"1979-05-27T07:32:00Z",
    b"nan",
    b"inf",
    b"true",
    b"{}",
    b"[]",
    b"[[]]",
    b'""',
    b'"""',
    b"'''",
    b'"\\u0000"',
    b'"\\r\\n"',
    b"\n",
    b"\xef\xbb\xbf",
    b"\xff",
    b"-9223372036854775808",
    b"9" * 400,
    b"a.b.c.d = 1\n",
)
NOW = 1_800_000_000.0
DRAFT = Config()
_BUILT = 40_000


def check(octets: bytes) -> None:
    """See above."""
    examined = examine(octets, DRAFT, NOW)
    _one_line(examined.problems)
    try:
        config = loads(octets)
    except ConfigErrors as fault:
        _one_line(fault.problems)
        return
    for every_field in (False, True):
        assert loads(dumps(config, with_keys=True, every_field=every_field)) == config
    shown = dumps(config)
    assert examine(shown, config, NOW).config == config
    for certificate in config.certificates.values():
        key = certificate.private_key
        assert len(key) < 20 or key == MASK or key in certificate.certificate or key not in shown
    differences(DRAFT, config)
    unified(config, DRAFT)
    problems = judge(config, NOW)
    _one_line(problems)
    for problem in problems:
        if problem.path:
            get_path(config, problem.path)
    if not errors(problems) and len(octets) < _BUILT:
        try:
            Snapshot.build(config, 1)
        except ConfigErrors as fault:
            _one_line(fault.problems)


def _one_line(problems: list[Problem]) -> None:
    for problem in problems:
        assert "\n" not in str(problem), problem
        assert "\r" not in str(problem), problem
        assert problem.wrong
        assert problem.mend
