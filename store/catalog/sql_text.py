"""Decodes SQL from a command line as UTF-8, or names the byte that is wrong."""

import os

from store.errors import QueryRefused


def legible_sql(sql: str) -> str:
    """The statement; in an ASCII locale its bytes are taken for UTF-8. Raises `QueryRefused`."""
    try:
        sql.encode()
    except UnicodeEncodeError as unreadable:
        try:
            return os.fsencode(sql).decode()
        except UnicodeError as error:
            before = sql[max(0, unreadable.start - 20) : unreadable.start]
            raise QueryRefused(
                f"the query holds bytes that are no UTF-8, after {before!r}: write it in UTF-8, for example "
                "with `iconv -f latin1 -t utf-8`"
            ) from error
    return sql
