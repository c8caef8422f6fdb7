"""Messages as software sends them, made with Python's email package: shapes, charsets, encodings, and ways to write them."""

from __future__ import annotations

import email.policy
from collections.abc import Callable, Iterator
from email.message import EmailMessage, Message
from email.policy import Policy

POLICIES: dict[str, Policy] = {
    "smtp": email.policy.SMTP,
    "long lines": email.policy.SMTP.clone(max_line_length=998),
    "one line each": email.policy.SMTP.clone(max_line_length=None),
    "utf8": email.policy.SMTPUTF8,
}
TEXTS = {
    "us-ascii": "Plain words, and a dot:\n.\nFrom here it goes on.\n",
    "utf-8": "Grüße an alle, 世界, 🚀, \u202eturned\u202c and e\u0301.\n.\n",
    "iso-8859-1": "Grüße, naïve façade\n",
    "iso-8859-15": "20 €\n",
    "windows-1252": "“Quotes” – and 5 €\n",
    "windows-1251": "Привет, мир\n",
    "koi8-r": "Привет, мир\n",
    "iso-8859-7": "Καλημέρα\n",
    "iso-8859-8": "שלום עולם\n",
    "windows-1256": "مرحبا\n",
    "tis-620": "สวัสดี\n",
    "iso-2022-jp": "こんにちは、世界\n",
    "shift_jis": "こんにちは、世界\n",
    "euc-jp": "こんにちは、世界\n",
    "gb2312": "你好，世界\n",
    "gb18030": "你好，世界 𠀀\n",
    "big5": "你好，世界\n",
    "euc-kr": "안녕하세요\n",
    "utf-7": "Hi Mom -☺-!\n",
    "utf-16": "two octets each\n",
    "utf-32": "four octets each\n",
}
ENCODINGS = ("7bit", "8bit", "quoted-printable", "base64")
PIXEL = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
BINARY = bytes(range(256)) * 40


def base(subject: str = "A message", **fields: str) -> EmailMessage:
    """Return a message with the header that every mail program writes."""
    message = EmailMessage()
    message["From"] = "Ann Sender <ann@client.example>"
    message["To"] = "Bob Box <box@example.com>"
    message["Subject"] = subject
    message["Date"] = "Tue, 24 Nov 2026 08:00:00 +0000"
    message["Message-ID"] = "<20261124080000.1@client.example>"
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    return message


def plain() -> EmailMessage:
    message = base()
    message.set_content("Hello,\n\nall is well.\n\n-- \nAnn\n")
    return message


def newsletter() -> EmailMessage:
    message = base("=?not an encoded word, but Ümlaute and 🚀 in a subject that is long enough to be folded " * 3)
    message["List-Unsubscribe"] = "<mailto:leave@client.example>, <https://client.example/leave?" + "x" * 300 + ">"
    message["DKIM-Signature"] = (
        "v=1; a=rsa-sha256; c=relaxed/relaxed; d=client.example; s=k1; bh=" + "A" * 43 + "=; b=" + "B" * 340
    )
    message.set_content("See the other part.\n")
    message.add_alternative(
        "<html><body>" + "<p>Sehr geehrte Damen und Herren,</p>" * 300 + "</body></html>", subtype="html"
    )
    return message


def attachments() -> EmailMessage:
    message = plain()
    message.add_attachment(BINARY, maintype="application", subtype="octet-stream", filename="data.bin")
    message.add_attachment(b"", maintype="application", subtype="pdf", filename="empty.pdf")
    message.add_attachment("a,b\r\nc,d\r\n", subtype="csv", filename="Übersicht für März.csv")
    return message


def related() -> EmailMessage:
    message = base()
    message.set_content('<img src="cid:pixel">', subtype="html")
    message.add_related(PIXEL, maintype="image", subtype="gif", cid="<pixel>")
    message.add_alternative("in words\n")
    message.add_attachment(PIXEL, maintype="image", subtype="gif", filename="again.gif")
    return message


def forwarded(depth: int = 1) -> EmailMessage:
    inner = plain()
    for _ in range(depth):
        outer = base("Fwd: A message")
        outer.set_content("see below\n")
        outer.add_attachment(inner)
        inner = outer
    return inner


def forwarded_often() -> EmailMessage:
    return forwarded(12)


def digest() -> EmailMessage:
    message = base("List digest, vol. 1")
    message.make_mixed()
    for number in range(20):
        part = plain()
        part.replace_header("Subject", f"post {number}")
        message.attach(rfc822(part))
    message.set_type("multipart/digest")
    return message


def rfc822(inner: Message) -> EmailMessage:
    part = EmailMessage()
    part.set_content(inner)
    return part


def signed() -> EmailMessage:
    message = plain()
    message.make_mixed()
    message.add_attachment(bytes(range(255)), maintype="application", subtype="pkcs7-signature", filename="smime.p7s")
    message.set_type("multipart/signed")
    message.set_param("protocol", "application/pkcs7-signature")
    message.set_param("micalg", "sha-256")
    return message


def armoured() -> EmailMessage:
    message = base("...")
    message.set_content(
        "-----BEGIN PGP MESSAGE-----\n\n" + ("wcDMA" * 12 + "\n") * 30 + "=ab12\n-----END PGP MESSAGE-----\n"
    )
    return message


def bounce() -> EmailMessage:
    message = base("Undelivered Mail Returned to Sender", Auto_Submitted="auto-replied", X_Failed_Recipients="x@y.example")
    message.set_content("I am sorry.\n")
    message.make_mixed()
    status, host, recipient = EmailMessage(), EmailMessage(), EmailMessage()
    host["Reporting-MTA"] = "dns; mx.example"
    recipient["Final-Recipient"], recipient["Action"], recipient["Status"] = "rfc822; x@y.example", "failed", "5.1.1"
    status["Content-Type"] = "message/delivery-status"
    status.set_payload([host, recipient])
    message.attach(status)
    message.attach(rfc822(plain()))
    message.set_type("multipart/report")
    message.set_param("report-type", "delivery-status")
    return message


def invitation() -> EmailMessage:
    message = base("Invitation: Überblick")
    event = "BEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VEVENT\nSUMMARY:Überblick\nEND:VEVENT\nEND:VCALENDAR\n"
    message.set_content("You are invited.\n")
    message.add_alternative(event, subtype="calendar", params={"method": "REQUEST"})
    return message


def circular() -> EmailMessage:
    message = base("to all")
    message["Cc"] = ", ".join(f'"Doe, Jöhn {n}" <john{n}@client.example>' for n in range(200))
    message.set_content("to all of you\n")
    return message


def many_parts() -> EmailMessage:
    message = base()
    message.make_mixed()
    for number in range(100):
        message.add_attachment(f"part {number}\n", filename=f"{number}.txt")
    return message


def references() -> EmailMessage:
    message = plain()
    message["References"] = " ".join(f"<{n}.{'a' * 40}@client.example>" for n in range(150))
    message["In-Reply-To"] = "<149@client.example>"
    return message


def traced() -> EmailMessage:
    message = EmailMessage()
    for hop in range(60):
        message["Received"] = (
            f"from a{hop}.example by b{hop}.example with ESMTPS id {hop:x}; Tue, 24 Nov 2026 08:00:00 +0000"
        )
    for name, value in plain().items():
        message[name] = value
    message.set_payload("much travelled\n")
    return message


def empty() -> EmailMessage:
    message = base("")
    message.set_content("")
    return message


def large() -> EmailMessage:
    message = base("three hundred kilobytes")
    message.set_content("see it\n")
    message.add_attachment(BINARY * 22, maintype="image", subtype="jpeg", filename="photo.jpg")
    return message


SHAPES: tuple[Callable[[], EmailMessage], ...] = (
    plain, newsletter, attachments, related, forwarded, forwarded_often, digest, signed, armoured, bounce, invitation,
    circular, many_parts, references, traced, empty, large,
)  # fmt: skip


def written(message: Message, policy: Policy) -> bytes:
    """Return the message in octets; its boundaries are numbered, not drawn by lot."""
    for number, part in enumerate(message.walk()):
        if part.is_multipart() and part.get_content_maintype() == "multipart":
            part.set_boundary(f"=_part_{number}")
    octets = message.as_bytes(policy=policy)
    return octets if octets.endswith(b"\r\n") else octets + b"\r\n"


def in_charset(charset: str, encoding: str) -> bytes:
    """Return a message by hand in a charset, with its 8-bit subject and body as careless software writes them."""
    text = TEXTS[charset]
    message = base("charset")
    message.set_content(text, charset=charset, cte=encoding)
    return written(message, email.policy.SMTP)


def real() -> Iterator[tuple[str, bytes]]:
    """Yield the messages by name."""
    for shape in SHAPES:
        for name, policy in POLICIES.items():
            yield f"{shape.__name__}, {name}", written(shape(), policy)
    for charset, text in TEXTS.items():
        for encoding in ENCODINGS:
            try:
                yield f"{charset}, {encoding}", in_charset(charset, encoding)
            except (UnicodeError, ValueError):
                continue  # there is no such encoding of that text
        raw = text.replace("\n", "\r\n").encode(charset)
        yield f"{charset}, undeclared", b"Subject: " + raw + b"\r\n" + raw + b"\r\n"
