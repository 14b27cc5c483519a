"""URLs lose what they grant before they are stored or shown."""

import pickle

import pytest

from store import errors
from store.errors import CorruptData, NotFound, StorageError, UndertoneError, redacted
from store.records import Failure

SECRET = "s3cr3t"
HIDING = [
    f"https://host/a.wav?X-Amz-Signature={SECRET}&X-Amz-Date=1",
    f"https://{SECRET}@host/a.wav",
    f"https://me:{SECRET}@host/a.wav",
    f"https://me:p@{SECRET}@host/a.wav",
    f"HTTPS://host/a.wav?sig={SECRET}#x",
    f"https://host/a.wav#access_token={SECRET}",
    f"s3://key:{SECRET}@bucket/a.wav",
    f"host/a.wav?token={SECRET}",
    f"/a.wav?x=1&X-Goog-Credential={SECRET}",
]


@pytest.mark.parametrize("url", HIDING)
@pytest.mark.parametrize(
    "around", ["{}", "403, message='Forbidden', url='{}'", 'cannot read <{}> or "{}"\n{}']
)
def test_what_a_url_grants_is_left_out_wherever_it_stands(url: str, around: str) -> None:
    text = redacted(around.format(url, url, url))
    assert SECRET not in text
    assert "a.wav" in text


@pytest.mark.parametrize(
    "text",
    [
        "s3://bucket/prefix/a b.wav",
        "s3://bucket/é/a@b.wav",
        "no URL: what? a=b & c=d",
        "SELECT a FROM b WHERE c = 'x?y' AND d = 1",
        "/home/me/what?.wav",
        "",
    ],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize("kind", [one for one in vars(errors).values() if isinstance(one, type)])
def test_no_error_says_it(kind: type) -> None:
    if not issubclass(kind, UndertoneError):
        return
    error = kind(f"cannot read {HIDING[0]}")
    for text in (str(error), repr(error), str(pickle.loads(pickle.dumps(error)))):
        assert SECRET not in text
        assert "https://host/a.wav" in text


def test_errors_are_still_the_builtin_ones() -> None:
    assert isinstance(CorruptData("x"), OSError)
    assert isinstance(StorageError("x"), OSError)
    assert str(NotFound("x")) == "x"


def test_no_failure_keeps_it() -> None:
    failure = Failure(HIDING[0], "probe", "OSError", f"403 for {HIDING[1]}", HIDING[2])
    assert SECRET not in repr(failure)
    assert failure.uri == "https://host/a.wav"
