"""FFmpeg opens what is sound itself, and nothing that a file of a stranger asks for."""

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import pytest
from av.format import ContainerFormat

from pipelines.audio import media
from pipelines.audio.clips import probe
from pipelines.audio.files import open_root
from pipelines.audio.formats import AUDIO_ENDINGS, DEMUXERS, ENDINGS_BY_DEMUXER
from pipelines.audio.media import opened_media
from pipelines.datasets.cutting import ClipSpec, cut_recordings
from store.errors import AudioError
from store.records import Failure, Recording

WriteAudio = Callable[..., object]
SDP = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {port} RTP/AVP 0\n"
HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{target}\n#EXT-X-ENDLIST\n"
MASTER = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{target}\n"
CONCAT = "ffconcat version 1.0\nfile {target}\n"
DASH = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT4S"><Period><AdaptationSet mimeType="audio/mp4"><Representation id="1" '
    'bandwidth="1"><BaseURL>{target}</BaseURL></Representation></AdaptationSet></Period></MPD>'
)
PLS = "[playlist]\nFile1={target}\n"
SCRIPTS = {"hls": HLS, "master": MASTER, "concat": CONCAT, "dash": DASH, "pls": PLS}


@contextmanager
def counted_connections() -> Iterator[tuple[int, list[str]]]:
    """A server on the loopback; what connects to it is listed."""
    seen: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        stopping = threading.Event()

        def accept() -> None:
            while not stopping.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                seen.append("connected")
                connection.close()

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield server.getsockname()[1], seen
        finally:
            time.sleep(0.1)
            stopping.set()
            thread.join()


def open_udp_ports() -> set[str]:
    """Local addresses of the UDP sockets of this machine."""
    tables = [Path("/proc/net/udp"), Path("/proc/net/udp6")]
    lines = [line for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
    return {line.split()[1] for line in lines}


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_that_names_sound_is_refused_and_fetches_nothing(
    tmp_path: Path, script: str, write_audio: WriteAudio
) -> None:
    private = tmp_path / "private.mp3"
    write_audio(private, 2.0)
    with counted_connections() as (port, seen):
        for target in (f"http://127.0.0.1:{port}/a.mp3", f"file://{private}", str(private), "private.mp3"):
            for ending in (".mp3", ".m4a", ".wav", ".m3u8", ".sdp"):
                path = tmp_path / f"a{ending}"
                path.write_text(SCRIPTS[script].format(target=target), encoding="utf-8")
                with path.open("rb") as file, pytest.raises(AudioError):
                    probe(file)
    assert not seen


@pytest.mark.parametrize("ending", [".mp3", ".sdp", ""])
def test_a_session_description_opens_no_port_and_waits_for_nothing(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    path.write_text(SDP.format(port=15004), encoding="utf-8")
    before, started = open_udp_ports(), time.monotonic()
    ports: set[str] = set()
    stopping = threading.Event()

    def watch() -> None:
        while not stopping.wait(0.005):
            ports.update(address for address in open_udp_ports() if address.endswith(f":{15004:04X}"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with path.open("rb") as file, pytest.raises(AudioError):
            probe(file)
    finally:
        stopping.set()
        watcher.join()
    assert time.monotonic() - started < 2
    assert not ports - before


def test_a_refused_file_is_a_failure_and_its_neighbours_are_cut(
    tmp_path: Path, write_audio: WriteAudio
) -> None:
    write_audio(tmp_path / "good.mp3", 3.0)
    (tmp_path / "sdp.mp3").write_text(SDP.format(port=15006), encoding="utf-8")
    recordings = [Recording(name, name, labels={}) for name in ("sdp.mp3", "good.mp3")]
    bad, good = cut_recordings(open_root(tmp_path), recordings, ClipSpec("d", 2.0, 2.0))
    assert isinstance(bad, Failure)
    assert "FFmpeg refuses the file" in bad.message
    assert isinstance(good, list)
    assert len(good) == 1


def test_ffmpeg_is_given_no_way_to_open_anything_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, write_audio: WriteAudio
) -> None:
    """Behind the list of formats stands a second wall: a list of files that got past it still opens none."""
    write_audio(tmp_path / "b.mp3", 1.0)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(media._OPTIONS, "format_whitelist", "concat,mp3")
    script = io.BytesIO(CONCAT.format(target="b.mp3").encode())
    with pytest.raises(AudioError), opened_media(script):
        pass


def test_every_format_of_the_table_is_one_that_ffmpeg_reads() -> None:
    assert all(ContainerFormat(name, "r").is_input for name in DEMUXERS)


def test_no_format_of_the_table_reads_beside_its_own_file() -> None:
    scripts = {
        "hls",
        "dash",
        "concat",
        "sdp",
        "rtsp",
        "rtp",
        "sap",
        "image2",
        "imf",
        "lavfi",
        "vobsub",
        "sbg",
    }
    assert not scripts & set(DEMUXERS)


def test_endings_are_in_lower_case_with_a_dot_and_name_one_format_each() -> None:
    listed = [ending for endings in ENDINGS_BY_DEMUXER.values() for ending in endings]
    assert len(listed) == len(AUDIO_ENDINGS)
    assert all(ending.startswith(".") and ending == ending.lower() for ending in listed)


@pytest.mark.parametrize(
    ("ending", "codec", "container"),
    [
        (".webm", "libopus", "webm"),
        (".mka", "flac", "matroska"),
        (".aac", "aac", "adts"),
        (".opus", "libopus", "opus"),
        (".mp4", "aac", "mp4"),
        (".tta", "tta", "tta"),
        (".mp2", "mp2", "mp2"),
        (".ac3", "ac3", "ac3"),
        (".wv", "wavpack", "wv"),
    ],
)
def test_sound_in_a_listed_container_is_read(tmp_path: Path, ending: str, codec: str, container: str) -> None:
    import numpy as np

    rate = 48_000
    path = tmp_path / f"a{ending}"
    with av.open(path, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout="stereo")
        assert isinstance(stream, av.AudioStream)
        resampler = av.AudioResampler(format=stream.codec_context.format, layout="stereo", rate=rate)
        samples = (0.2 * np.sin(np.arange(2 * rate) / 20)).astype(np.float32)
        for start in range(0, len(samples), 960):
            block = np.stack([samples[start : start + 960]] * 2)
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = rate, start
            for converted in resampler.resample(frame):
                output.mux(stream.encode(converted))
        output.mux(stream.encode(None))
    with path.open("rb") as file:
        assert probe(file).seconds == pytest.approx(2.0, abs=0.1)
    assert ending in AUDIO_ENDINGS
