"""Messages that no standard allows and every gateway meets, and those that are allowed and break readers all the same."""

from __future__ import annotations

from collections.abc import Iterator

HEAD = b"From: <a@client.example>\r\nTo: <box@example.com>\r\nSubject: odd\r\nMessage-ID: <odd@client.example>\r\n"
BODY = b"first line\r\n\r\nsecond line\r\n"
PLAIN = HEAD + b"\r\n" + BODY
NAMES = {13: "cr", 10: "lf", 0: "nul"}

FIELDS = [
    b": value", b":", b"X-Empty:", b"X-Blank: \t ", b"Subject : x", b"Subject\t: x", b"Subject:x", b"Sub ject: x",
    b"S\xc3\xbcbject: x", b"Sub\x01ject: x", b"N" * 10_000 + b": v", b"N" * 200_000 + b": v", b"__proto__: x",
    b"constructor: y", b"0: 1", b'"Subject": x', b"Subject:: x", b"X: " + b":" * 900, b"X: a\r\n b\r\n\tc",
    b"X-Fol\r\n ded: x", b"X-Folded\r\n : x", b"X: a\r\n \r\n \r\n\t\r\n b", b"X: a" + b"\r\n b" * 1000,
    b"X: " + b"v" * 995, b"X: " + b"v" * 998, b"X: " + b"v" * 200_000, b"Date: Mon, 99 Foo 20266 99:99:99 +9999",
    b"Date:", b"To: undisclosed-recipients:;", b"To: a: b: c@d;;", b"To: <@a,@b:c@d>", b'From: "unclosed <a@b>',
    b"From: a@b (unclosed", b"From: <a@b", b"From: <>", b"From: a@b@c", b"From: a@b, c@d", b"From: Ann",
    b"Subject: =?utf-8?b?AA==?=", b"Subject: =?utf-8?q?a=0D=0AX:_b?=",
    b"Subject: =?utf-8?b?w?= =?utf-8?x?y?= =?nosuch?q?z?= =?utf-8?b?", "Subject: ä😀".encode(), b"Subject: \xe4\xf6\xfc",
    b"Subject: \xc3\x28 \xf0\x9f \xed\xa0\x80 \xc0\xaf", "Subject: \u202egnp.exe".encode(),
    b"Subject: \x1b[2J\x1b]0;x\x07", b"Message-ID: <\x07>", b"Content-Length: 99999999", b"Lines: -1", b"Status: RO",
    b"Bcc: c@example.com", b"Return-Path: <x@y>", b"Delivered-To: box@example.com", b"Message-ID:", b"Message-ID: <abc",
    b"Message-ID: < a b @ c >", b"Message-ID: <" + b"m" * 50_000 + b"@x>", b"Subject: " + b"s " * 25_000,
    b'Subject: "><img src=x onerror=alert(1)>', b"Subject: '; DROP TABLE x; --", b"Subject: %s%n%x{0}{{7*7}}${7*7}",
    b"Subject: $(touch /tmp/x) `id` ;id|id", b"Subject: ,,,", b"MIME-Version: 9.9 (what?)",
    b"Content-Transfer-Encoding: x-unknown", b"X: .", b".: .\r\n..: ..",
    b"Resent-From: a@b\r\nResent-To: c@d\r\nResent-From: e@f",
]  # fmt: skip
"""Fields that are odd in themselves."""


def broken() -> Iterator[tuple[str, bytes]]:
    """Yield the messages by name."""
    for source in (headers, fields, octets, line_ends, lines, limits, bodies, dots, mime, words, endless):
        for name, content in source():
            yield f"{source.__name__}: {name}", content


def headers() -> Iterator[tuple[str, bytes]]:
    """The header section as a whole."""
    yield "empty message", b""
    yield "one empty line", b"\r\n"
    yield "only empty lines", b"\r\n" * 500
    yield "no header, an empty line first", b"\r\n" + BODY
    yield "no header, text at once", b"hello\r\nworld\r\n"
    yield "header only", HEAD
    yield "header and the empty line", HEAD + b"\r\n"
    yield "one field", b"a:b\r\n"
    yield "a name without colon", b"Subject\r\n\r\n" + BODY
    yield "a line without colon in the middle", HEAD + b"no colon here\r\nX-After: 1\r\n\r\n" + BODY
    yield "a From_ line", b"From a@client.example Tue Nov 24 08:00:00 2026\r\n" + PLAIN
    yield "a quoted From_ line", b">From a@client.example Tue Nov 24 08:00:00 2026\r\n" + PLAIN
    yield "a blank line of blanks", HEAD + b" \t \r\n\r\n" + BODY
    yield "folded at once", b" folded: into what stands above\r\n" + PLAIN
    yield "folded at once, tab", b"\tfolded\r\n" + PLAIN
    yield "a byte order mark", b"\xef\xbb\xbf" + PLAIN
    yield "the header twice", HEAD + b"\r\n" + PLAIN
    yield "a mailbox of two", b"From x\r\n" + PLAIN + b"\r\nFrom y\r\n" + PLAIN
    yield "commands", b"MAIL FROM:<evil@client.example>\r\nRCPT TO:<evil@example.com>\r\nDATA\r\nQUIT\r\n"
    yield "html", b"<html>\r\n<body>hi</body>\r\n</html>\r\n"
    yield "HTTP", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde\r\n"


def fields() -> Iterator[tuple[str, bytes]]:
    """Single fields."""
    for field in FIELDS:
        yield f"{field[:40]!a} of {len(field)} first", field + b"\r\n" + HEAD + b"\r\n" + BODY
        yield f"{field[:40]!a} of {len(field)} last", HEAD + field + b"\r\n\r\n" + BODY
    for name in (b"Subject", b"From", b"Message-ID", b"Date", b"Content-Type", b"MIME-Version", b"X"):
        yield f"{name.decode()} nine hundred times", b"".join(name + b": %d\r\n" % n for n in range(900)) + b"\r\n" + BODY


def octets() -> Iterator[tuple[str, bytes]]:
    """Every octet that is no letter, in the header and in the body."""
    for code in (*range(1, 10), 11, 12, *range(14, 32), 127, *range(128, 256, 9)):
        octet = bytes([code])
        yield f"{code:#x} in the header", b"X: a" + octet + b"b\r\n" + PLAIN
        yield f"{code:#x} in the body", PLAIN + octet * 3 + b" " + octet + b"\r\n"
    yield "all 8-bit octets", PLAIN + bytes(range(128, 256)) * 10 + b"\r\n"
    yield "blanks at the ends of lines", HEAD + b"\r\n" + b"text \t \r\n \r\n\t\r\n" * 20


def line_ends() -> Iterator[tuple[str, bytes]]:
    """CR, LF and NUL where none may stand."""
    for code, name in NAMES.items():
        lone = bytes([code])
        yield f"{name} first", lone + PLAIN
        yield f"{name} in a name", b"X" + lone + b"Y: z\r\n" + PLAIN
        yield f"{name} in a value", b"X: y" + lone + b"z\r\n" + PLAIN
        yield f"{name} for a field's end", b"X: y" + lone + PLAIN
        yield f"{name} for the empty line", HEAD + lone + BODY
        yield f"{name} in the body", PLAIN + b"a" + lone + b"b\r\n"
        yield f"{name} before the last line end", PLAIN + b"a" + lone + b"\r\n"
        yield f"{name} twice", PLAIN + lone * 2 + b"\r\n"
        yield f"{name} far behind", PLAIN + b"x" * 300_000 + lone + b"x\r\n"
        yield f"{name} on the edge of a buffer", PLAIN + b"x" * (65_536 - len(PLAIN) - 1) + lone + b"x\r\n"
        for ending in (b".\r\n", b".", b".\r", b".\n"):
            yield f"{name} and {ending!a}", PLAIN + lone + ending + b"QUIT\r\n"
            yield f"a line end, {name}, and {ending!a}", PLAIN + b"\r\n" + lone + ending + b"x\r\n"
    yield "lf only", PLAIN.replace(b"\r\n", b"\n") + b"\r\n"
    yield "cr only", PLAIN.replace(b"\r\n", b"\r") + b"\r\n"
    yield "turned round", PLAIN.replace(b"\r\n", b"\n\r") + b"\r\n"
    yield "cr cr lf", PLAIN.replace(b"\r\n", b"\r\r\n")
    yield "other line ends", PLAIN + "a\u2028b\u2029c\u0085d\x0be\x0c".encode() + b"\r\n"


def lines() -> Iterator[tuple[str, bytes]]:
    """Lines of every length that ever was a limit, with their CR LF."""
    for length in (
        2,
        3,
        78,
        80,
        998,
        999,
        1000,
        1001,
        1002,
        2048,
        4095,
        4096,
        8192,
        16_384,
        65_535,
        65_536,
        131_072,
        1_048_575,
    ):
        yield f"of {length}", PLAIN + b"y" * (length - 2) + b"\r\n"
        yield f"of {length} that begins with a dot", PLAIN + b"." + b"y" * (length - 3) + b"\r\n"
        if length < 200_000:
            yield f"of {length} in the header", b"X: " + b"y" * (length - 5) + b"\r\n" + PLAIN
    yield "a hundred thousand short ones", PLAIN + b"a\r\n" * 100_000


def limits() -> Iterator[tuple[str, bytes]]:
    """On either side of each limit, by one."""
    for count in (1999, 2000, 2001):
        yield f"{count} header lines", b"a: b\r\n" * count + b"\r\n" + BODY
        yield f"{count} lines and no empty one", b"a: b\r\n" * count
    for size in (262_143, 262_144, 262_145):
        yield f"a header of {size}", b"a: b\r\n" + b"X: " + b"v" * (size - 11) + b"\r\n\r\n" + BODY
        yield f"a folded header of {size}", b"X: v\r\n" + b" v" * ((size - 8) // 2) + b"v" * (size % 2) + b"\r\n\r\n" + BODY
    for hops in (98, 99, 100, 101):
        yield f"{hops} hops", b"Received: x\r\n" * hops + b"\r\n" + BODY
    yield "100 hops in many letters", b"Received: x\r\nRECEIVED: x\r\n" * 50 + b"\r\n" + BODY
    yield "200 hops in the body", HEAD + b"\r\n" + b"Received: x\r\n" * 200
    yield "hops that are none", b"Received : x\r\nX-Received: x\r\n Received: x\r\n" * 60 + b"\r\n" + BODY
    for length in (1_048_576, 1_048_577):
        yield f"a line of {length}", PLAIN + b"y" * (length - 2) + b"\r\n"
    for size in (4_194_304, 4_194_305):
        yield f"a message of {size}", HEAD + b"\r\n" + b"y" * 1_000_000 + b"\r\n" + filled(size - len(HEAD) - 1_000_004)
    yield "over it with a bare lf", HEAD + b"\r\na\nb\r\n" + b"y" * 4_200_000 + b"\r\n"


def filled(size: int) -> bytes:
    """Return lines of exactly `size` octets."""
    return b"z" * (size % 100 + 98) + b"\r\n" + (b"z" * 98 + b"\r\n") * (size // 100 - 1)


def bodies() -> Iterator[tuple[str, bytes]]:
    """Bodies."""
    text = {
        "broken base64": b"Content-Transfer-Encoding: base64\r\n\r\n====\r\nAAA\r\n!!!\r\nQQ==QQ==\r\n",
        "base64 in one line": b"Content-Transfer-Encoding: base64\r\n\r\n" + b"QUJD" * 20_000 + b"\r\n",
        "broken qp": b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=\r\n=G1=1=\r\n= \r\n=0D=0A.=0D=0A\r\n",
        "uuencode": b"\r\nbegin 644 x\r\n#0V%T\r\n`\r\nend\r\n",
        "yenc": b"\r\n=ybegin line=128 size=9 name=x\r\n" + bytes(set(range(1, 256)) - {10, 13}) + b"\r\n=yend size=9\r\n",
        "pem": b"\r\n-----BEGIN CERTIFICATE-----\r\nMIIB\r\n-----END CERTIFICATE-----\r\n",
        "eicar": b"\r\nX5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*\r\n",
        "a mailbox": b"\r\nFrom a@b\r\n>From c@d\r\n>>From e@f\r\nFrom: g@h\r\n",
        "a message in a message": b"\r\n" + PLAIN,
        "headers in the body": b"\r\nSubject: evil\r\nBcc: evil@example.com\r\nReceived: evil\r\n",
        "empty lines at the end": b"\r\ntext\r\n" + b"\r\n" * 5000,
        "commands": b"\r\nRSET\r\nMAIL FROM:<evil@client.example>\r\nRCPT TO:<evil@example.com>\r\nDATA\r\nQUIT\r\n",
        "replies": b"\r\n250 ok\r\n354 go\r\n421 bye\r\n",
        "binary": b"\r\n" + bytes(set(range(1, 256)) - {10, 13}) * 2000 + b"\r\n",
        "just over the memory": b"\r\n" + (b"m" * 76 + b"\r\n") * 3400,
        "just under the memory": b"\r\n" + (b"m" * 76 + b"\r\n") * 3355,
    }
    for name, rest in text.items():
        yield name, HEAD + rest + (b"" if rest.endswith(b"\r\n") else b"\r\n")


def dots() -> Iterator[tuple[str, bytes]]:
    """Lines that begin with a dot, everywhere."""
    for line in (b".", b"..", b"...", b". ", b".\t", b".x", b" .", b".\xff", b"." * 1000):
        yield f"{line[:4]!a} of {len(line)} first", line + b"\r\n" + PLAIN
        yield f"{line[:4]!a} of {len(line)} first in the body", HEAD + b"\r\n" + line + b"\r\n" + BODY
        yield f"{line[:4]!a} of {len(line)} last", PLAIN + line + b"\r\n"
        yield f"{line[:4]!a} of {len(line)} and nothing else", line + b"\r\n"
        yield f"{line[:4]!a} of {len(line)} many times", PLAIN + (line + b"\r\n") * 300
    for edge in (1460, 4096, 16_384, 65_536, 131_072, 262_144):
        for shift in range(-4, 2):
            start = HEAD + b"\r\n" + b"e" * (edge - len(HEAD) - 4 + shift)
            yield f"on an edge of {edge}{shift:+}", start + b"\r\n.\r\n..\r\nafter\r\n"


BOUNDARIES = [
    b"", b'""', b'" "', b'"b  "', b"b", b"b" * 70, b"b" * 71, b"b" * 20_000, b"\xff\xfe", b"....", b"-----",
    b'"(.*)+[^$"', b"++++", b'"b', b'"b\\"c"', b'"=0D=0A"', b'b; boundary="c"', b"; boundary*0=b; boundary*1=c",
    b"b (c)",
]  # fmt: skip


def mime() -> Iterator[tuple[str, bytes]]:
    """Structures for readers that recurse, and boundaries for those that guess."""
    multipart = b"Content-Type: multipart/mixed; boundary="
    for depth in (10, 300, 20_000):
        yield f"{depth} deep", b"".join(multipart + b"b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth))
    for depth in (10, 10_000):
        yield f"{depth} messages in messages", b"Content-Type: message/rfc822\r\n\r\n" * depth + PLAIN
    yield "100,000 parts", multipart + b"b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 100_000 + b"--b--\r\n"
    yield "100,000 boundaries", multipart + b"b\r\n\r\n" + b"--b\r\n" * 100_000
    part = b"\r\n\r\n--%s\r\n\r\nx\r\n--%s--\r\n"
    for boundary in BOUNDARIES:
        plain = boundary.strip(b'"')
        yield f"boundary {boundary[:40]!a} of {len(boundary)}", HEAD + multipart + boundary + part % (plain, plain)
    yield "a prefix of another boundary", multipart + b"bb\r\n\r\n--b\r\n--bbb\r\n--bb\r\n\r\n--bb--x\r\n--bb--\r\n"
    yield "never closed", multipart + b"b\r\n\r\n--b\r\n\r\nx\r\n"
    yield "closed at once", multipart + b"b\r\n\r\n--b--\r\nepilogue\r\n--b\r\n"
    yield "no boundary at all", b"Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n"
    yield "two types", b"Content-Type: text/plain\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
    for kind in (
        b"",
        b"text",
        b"/",
        b"text/",
        b"a/b/c",
        b"text/plain; charset",
        b"text/plain; charset=" + b"c" * 5000,
        b";;;;",
    ):
        yield f"type {kind[:30]!a} of {len(kind)}", b"Content-Type: " + kind + b"\r\n" + PLAIN
    yield (
        "parameters in pieces",
        b"Content-Type: a/b;" + b"".join(b"\r\n n*%d*=x%%20;" % n for n in range(1500)) + b"\r\n" + PLAIN,
    )
    yield "the wrong piece first", b"Content-Disposition: attachment; f*2=c; f*0=a; f*1=b; f*99999999999=d\r\n" + PLAIN
    yield "a path for a name", b'Content-Disposition: attachment; filename="../../../etc/passwd"\r\n' + PLAIN


def words() -> Iterator[tuple[str, bytes]]:
    """What makes readers that try again quadratic, in one field of the header."""
    for name, piece in PIECES.items():
        for field in (b"Subject", b"Message-ID"):
            yield f"{name} in {field.decode()}", field + b": " + piece * (200_000 // len(piece)) + b"\r\n" + PLAIN
    yield "many encoded words", b"Subject:" + b"\r\n =?utf-8?b?w6Q=?=" * 1500 + b"\r\n" + PLAIN
    yield "a megabyte of Received", b"Received: " + b"(a by b)" * 131_072 + b"\r\n" + PLAIN


PIECES = {
    "comments": b"(", "escapes": b'"\\\\', "commas": b",", "blanks": b" ", "angles": b"<", "half words": b"=?utf-8?q?",
    "groups": b"a:", "semicolons": b";", "at": b"a@", "tabs": b"\t", "closers": b"?=)>",
}  # fmt: skip


def endless() -> Iterator[tuple[str, bytes]]:
    """The same in the body: half a megabyte each."""
    for name, piece in {**PIECES, "dots": b"\r\n.", "line ends": b"\r\n", "8-bit": b"\xc3\xa4"}.items():
        yield name, HEAD + b"\r\n" + piece * (500_000 // len(piece)) + b"\r\n"
