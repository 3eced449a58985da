#!/usr/bin/env python3
"""docs/when-a-call-fails.md names every reason that the server can give, with a gRPC code, and no other."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "when-a-call-fails.md"

# Words in capitals in the server's code that are no reason of an error to a caller. A new word is
# either one of these or a row of the page.
OTHER_WORDS = {
    "outcomes": {"NOT_SENT", "REJECTED", "EXECUTED", "UNKNOWN"},
    "errors at the start, to the operator": {"INVALID_CONFIG", "CONFIG_UNREADABLE"},
    "HTTP": {"CONNECT", "DELETE", "HEAD", "OPTIONS", "PATCH", "POST", "TRACE"},
    "SQL and PostgreSQL": {"COMMIT", "ROLLBACK", "WARNING", "UTF8"},
    "environment": {"IPP_", "IPP_LISTEN", "IPP_LOG_FORMAT", "IPP_LOG_LEVEL"},
    "values in metadata": {"FINALIZED"},
    "verdicts in spans": {"ANSWERED"},
    "prefixes of enums": {"SESSION_EVENT_SOURCE_", "SESSION_EVENT_TYPE_"},
    "protocols and algorithms": {"SCTP", "SHA256"},
}

CODES = {"CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
         "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE",
         "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"}


def words_of_the_server(folder):
    words = set()
    for path in sorted(folder.rglob("*.[ch]*")):
        for line in path.read_text().splitlines():
            if not line.lstrip().startswith("//"):
                words |= set(re.findall(r'"([A-Z][A-Z0-9_]{3,})"', line))
    return words


def rows_of_the_page(text):
    """Reasons and codes of each row under "By reason"."""
    section = re.search(r"^## By reason$(.*?)^## ", text, re.M | re.S)
    rows = [line for line in section[1].splitlines() if line.startswith("|")] if section else []
    for row in rows[2:]:  # after the head
        cells = row.split("|")
        yield re.findall(r"`([A-Z_]+)`", cells[1]), re.findall(r"`([A-Z_]+)`", cells[2])


def remedies(text):
    """The reasons of client/ippctl/what_to_do.cc."""
    return set(re.findall(r'^ +\{"([A-Z_]+)", Retry::', text, re.M))


def problems_of_remedies(known, text):
    """ippctl says what to do for each reason of the page."""
    reasons = {name for names, _ in rows_of_the_page(text) for name in names}
    for name in sorted(reasons - known):
        yield f"client/ippctl/what_to_do.cc has no row for {name}"
    for name in sorted(known - reasons):
        yield f"client/ippctl/what_to_do.cc has a row for {name}, which the page does not know"


def problems(words, text):
    other = set().union(*OTHER_WORDS.values())
    reasons = []
    for names, codes in rows_of_the_page(text):
        reasons += names
        if not codes or not set(codes) <= CODES:
            yield f"{names}: {codes} are not codes of gRPC"
    if not reasons:
        yield "the page has no table of reasons"
    for name in sorted({name for name in reasons if reasons.count(name) > 1}):
        yield f"{name} has two rows"
    for name in sorted(words - other - set(reasons)):
        yield f"the server says {name}, the page does not"
    for name in sorted(set(reasons) - words):
        yield f"the page says {name}, the server does not"
    for name in sorted(other - words):
        yield f"{name} is not in the server any more: take it out of OTHER_WORDS"


def self_test(words, text):
    """The check finds what it is for."""
    assert len(words) > 40, words
    assert list(problems(words | {"NEW_REASON"}, text)) == ["the server says NEW_REASON, the page does not"]
    assert list(problems(words - {"DRAINING"}, text)) == ["the page says DRAINING, the server does not"]
    assert list(problems(words - {"SCTP"}, text)), "a stale exception"
    assert list(problems(words, text.replace("`RESOURCE_EXHAUSTED`", "`TOO_MUCH`")))
    assert "the page has no table of reasons" in list(problems(words, "# nothing\n"))


if __name__ == "__main__":
    server, page = words_of_the_server(ROOT / "server"), PAGE.read_text()
    known = remedies((ROOT / "client/ippctl/what_to_do.cc").read_text())
    found = [*problems(server, page), *problems_of_remedies(known, page)]
    print("\n".join(found) if found else "the page names every reason")
    if not found:
        self_test(server, page)
        assert list(problems_of_remedies(known - {"DRAINING"}, page)) and list(problems_of_remedies(known | {"X"}, page))
    sys.exit(1 if found else 0)
