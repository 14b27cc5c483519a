"""URLs lose what they grant before they are stored or shown."""

import pickle
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.fitting.user_tables import read_user_table
from pipelines.audio.files import open_root
from pipelines.datasets.formats import open_source
from store import errors
from store.errors import (
    CorruptData,
    InvalidInput,
    NotFound,
    StorageError,
    UndertoneError,
    has_password,
    redacted,
)
from store.objects.storage import open_objects
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
    f"s3://AKIA:se/{SECRET}@bucket/a.wav",
    f"s3://AKIA:1/{SECRET}@bucket/a.wav",
    f"https:/{SECRET}@host/a.wav",
    f"https://host/a.wav;token={SECRET}",
]
SETTINGS = [
    "DefaultEndpointsProtocol=https;AccountName=me;AccountKey={};EndpointSuffix=x",
    "aws_secret_access_key = {}",
    "Authorization: Bearer {}",
    "{{'Authorization': 'Basic {}'}}",
    "401 for Bearer {}",
    "password={}",
    "{{'secret_access_key': '{}', 'region': 'x'}}",
    '{{"password":"{}"}}',
    "/x;sig={};a=b",
]
WORD = st.text(st.characters(codec="ascii", categories=["L", "Nd"]) | st.sampled_from("+/=-_.~"), max_size=20)
ODD = st.text(
    st.characters(codec="ascii", categories=["L", "Nd", "P", "S", "Zs"]) | st.sampled_from("/:@ '\"<>#?"),
    max_size=20,
).filter(lambda text: "://" not in text)


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
        "http://127.0.0.1:8000/a@b.wav",
        "connect to https://host:443, then http://host:80 (x@y)",
        "the run has max_tokens=5 and seed=3",
        "no key: it has tokens: 3",
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


@given(
    ODD, st.sampled_from(["s3://me:{}@bucket/x.wav", "https://me:{}@host/x.wav", "az://:{}@c", "s3:/a:{}@b"])
)
def test_no_password_survives_whatever_its_characters(odd: str, url: str) -> None:
    secret = f"begin{odd}end"
    for around in ("{}", "cannot read '{}': 403", "one\n{}\ntwo"):
        text = redacted(around.format(url.format(secret)))
        assert "begin" not in text
        assert "end" not in text


@given(WORD, st.sampled_from(SETTINGS))
def test_no_setting_or_header_says_its_secret(word: str, setting: str) -> None:
    text = redacted(setting.format(f"begin{word}end"))
    assert "begin" not in text
    assert "end" not in text


@pytest.mark.parametrize("text", ["a://" * 20_000, "a" * 200_000 + "://", "s3://a:" * 20_000, "@:/" * 50_000])
def test_hostile_texts_take_no_long_time(text: str) -> None:
    started = time.process_time()
    redacted(text)
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("url", "refused"),
    [
        *(("s3://AKIA:se/cret@bucket", True), ("s3://AKIA:1/cret@b", True), ("https://me:p?w@host", True)),
        *(("https://token@host/x", False), ("http://host:8000/a@b", False), ("s3://b/a:b@c", False)),
    ],
)
def test_a_url_with_a_password_is_refused_for_audio_tables_and_stores_alike(url: str, refused: bool) -> None:
    assert has_password(url) is refused
    if refused:
        for reader in (open_objects, open_root, open_source, read_user_table):
            with pytest.raises(InvalidInput, match="carries a password"):
                reader(url)
