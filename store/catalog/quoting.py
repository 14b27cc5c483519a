"""Write names and values into SQL, where no parameter can stand for them."""


def sql_name(name: str) -> str:
    """A name as an identifier."""
    return '"' + name.replace('"', '""') + '"'


def sql_value(value: str | int | None) -> str:
    """A text, a whole number or NULL as a literal."""
    if value is None:
        return "NULL"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)
