"""The recipe of the pocket models as one value: sizes, steps, seeds; in full, and small for a test."""

from dataclasses import dataclass, field, replace

from training.pocket.clap_stage import ClapSettings
from training.pocket.codec_stages import CodecSettings
from training.pocket.decoder_stage import DecoderSettings
from training.pocket.judge_stage import JudgeSettings
from training.pocket.language_stage import LanguageSettings
from training.pocket.loop import Surroundings, Tell
from training.pocket.recognizer import RecognizerSettings
from training.pocket.scorer_stage import ScorerSettings


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides what comes out, but for the order in which numbers are added up."""

    name: str = "sketch-1"
    """Another one where stages of the two would not go together."""
    train_clips: int = 24_000
    validation_clips: int = 500
    test_clips: int = 1_000
    unseen_clips: int = 1_000
    long_clips: int = 1_000
    """Of twice the length, for the language model alone."""
    evaluated_clips: int = 1_000
    workers: int = 2
    """Processes that share each codec stage; later the decoder and the language model each have one."""
    listener: RecognizerSettings = field(default_factory=RecognizerSettings)
    """Hears timbre while the decoder is trained."""
    recognizer: RecognizerSettings = field(
        default_factory=lambda: RecognizerSettings(first=16_000, clips=8_000, seed=6)
    )
    """Measures the codec, and shares no clip with the listener."""
    codec: CodecSettings = field(default_factory=CodecSettings)
    decoder: DecoderSettings = field(default_factory=DecoderSettings)
    language: LanguageSettings = field(default_factory=LanguageSettings)
    scorers: ScorerSettings = field(default_factory=ScorerSettings)

    def placed(self, *, device: str, workers: int, tell: Tell) -> "Recipe":
        """The same recipe on a device and with a listener."""
        here = Surroundings(device, tell)
        return replace(
            self,
            workers=workers,
            codec=replace(self.codec, here=here),
            decoder=replace(self.decoder, here=here),
            language=replace(self.language, here=here),
            scorers=replace(
                self.scorers,
                clap=replace(self.scorers.clap, device=device, tell=tell),
                judge=replace(self.scorers.judge, device=device, tell=tell),
            ),
        )

    def seeded(self, seed: int) -> "Recipe":
        """The same recipe with other random numbers; 0 changes nothing."""
        return replace(
            self,
            name=f"{self.name}, seed {seed}" if seed else self.name,
            listener=replace(self.listener, seed=self.listener.seed + 100 * seed),
            recognizer=replace(self.recognizer, seed=self.recognizer.seed + 100 * seed),
            codec=replace(self.codec, seed=self.codec.seed + 100 * seed),
            decoder=replace(self.decoder, seed=self.decoder.seed + 100 * seed),
            language=replace(self.language, seed=self.language.seed + 100 * seed),
            scorers=replace(
                self.scorers,
                clap=replace(self.scorers.clap, seed=self.scorers.clap.seed + 100 * seed),
                judge=replace(self.scorers.judge, seed=self.scorers.judge.seed + 100 * seed),
            ),
        )


def smoke_recipe() -> Recipe:
    """A few steps of everything on a few clips: whether it runs, in half a minute."""
    return Recipe(
        name=f"{Recipe().name}, smoke",
        train_clips=24,
        validation_clips=8,
        test_clips=8,
        unseen_clips=8,
        long_clips=2,
        evaluated_clips=8,
        workers=1,
        listener=RecognizerSettings(clips=16, epochs=1, batch=8),
        recognizer=RecognizerSettings(first=16, clips=8, epochs=1, batch=8),
        codec=CodecSettings(encoder_steps=2, joint_steps=2, kmeans_latents=600),
        decoder=DecoderSettings(steps=4, listener_from=1, adversarial_from=2, deceive_from=3),
        language=LanguageSettings(steps=3, batch=2),
        scorers=ScorerSettings(
            clap_clips=8,
            judge_clips=8,
            reconstructed_clips=4,
            validation_clips=4,
            test_clips=4,
            clap=ClapSettings(steps=2, batch=4),
            judge=JudgeSettings(steps=2, batch=4),
        ),
    )
