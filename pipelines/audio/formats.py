"""The audio formats that may be opened: FFmpeg's demuxers by name, with the file endings that each serves.

FFmpeg decides by content what a file is. Some of its demuxers are no containers of sound but scripts that
name other files, URLs or network ports (playlists, SDP, concat, DASH, image sequences), so only those that
stand here are ever used: each reads the bytes of its own file and nothing else.
"""

from collections.abc import Mapping

ENDINGS_BY_DEMUXER: Mapping[str, tuple[str, ...]] = {
    "aac": (".aac", ".adts"),
    "ac3": (".ac3",),
    "aiff": (".aif", ".aiff", ".aifc", ".afc"),
    "amr": (".amr", ".3ga"),
    "ape": (".ape", ".mac"),
    "asf": (".wma", ".asf", ".wmv"),
    "au": (".au", ".snd"),
    "avi": (".avi",),
    "caf": (".caf",),
    "dsf": (".dsf",),
    "dts": (".dts",),
    "dtshd": (".dtshd",),
    "eac3": (".eac3", ".ec3"),
    "flac": (".flac",),
    "flv": (".flv",),
    "gsm": (".gsm",),
    "iff": (".8svx", ".svx", ".dff"),
    "loas": (".loas", ".latm"),
    "matroska": (".mka", ".mkv", ".webm", ".weba"),
    "mov": (".m4a", ".m4b", ".m4r", ".mp4", ".m4v", ".mov", ".3gp", ".3g2", ".f4a", ".alac"),
    "mp3": (".mp3", ".mp2", ".m2a", ".mp1", ".mpa", ".mpga"),
    "mpc": (".mpc",),
    "mpc8": (".mpp", ".mp+"),
    "mpeg": (".mpg", ".mpeg", ".vob"),
    "mpegts": (".m2ts",),
    "nistsphere": (".sph", ".nist"),
    "ogg": (".ogg", ".oga", ".ogv", ".ogx", ".opus", ".spx"),
    "oma": (".oma", ".aa3", ".at3"),
    "qoa": (".qoa",),
    "rm": (".ra", ".rm", ".rmvb"),
    "shn": (".shn",),
    "sox": (".sox",),
    "tak": (".tak",),
    "truehd": (".thd",),
    "tta": (".tta",),
    "voc": (".voc",),
    "w64": (".w64",),
    "wav": (".wav", ".wave", ".bwf", ".rf64"),
    "wv": (".wv",),
}
"""Endings in lower case with their dot. A container of films counts where it may hold sound alone."""

DEMUXERS: tuple[str, ...] = tuple(ENDINGS_BY_DEMUXER)
"""FFmpeg's names of what may be opened."""

AUDIO_ENDINGS: frozenset[str] = frozenset(
    ending for endings in ENDINGS_BY_DEMUXER.values() for ending in endings
)
"""Every ending by which a file in a folder is taken for audio."""
