"""How words of each mini-language may sound."""

from dataclasses import dataclass
from random import Random
from typing import Final


@dataclass(frozen=True)
class Phonology:
    """What syllables are made of. Letters stand for sounds one to one."""

    onsets: tuple[str, ...]
    vowels: tuple[str, ...]
    codas: tuple[str, ...]

    def stem(self, random: Random, syllables: int) -> str:
        """Draw a stem that begins with an onset and ends with a coda, inner syllables open.

        Args:
            random: the source of randomness.
            syllables: how many.
        """
        open_syllables = (random.choice(self.onsets) + random.choice(self.vowels) for _ in range(syllables))
        return "".join(open_syllables) + random.choice(self.codas)

    def suffix(self, random: Random, sounds: int) -> str:
        """Draw a suffix that begins with a vowel.

        Args:
            random: the source of randomness.
            sounds: how many, vowels and codas in turns.
        """
        return random.choice(self.vowels) + "".join(
            random.choice(self.vowels if position % 2 else self.codas) for position in range(sounds - 1)
        )

    def prefix(self, random: Random, sounds: int) -> str:
        """Draw a prefix that ends with a vowel.

        Args:
            random: the source of randomness.
            sounds: how many, onsets and vowels in turns.
        """
        return "".join(
            random.choice(self.onsets if (sounds - position) % 2 == 0 else self.vowels) for position in range(sounds)
        )


def _phonology(onsets: str, vowels: str, codas: str) -> Phonology:
    return Phonology(tuple(onsets.split()), tuple(vowels.split()), tuple(codas.split()))


PHONOLOGIES: Final[dict[str, Phonology]] = {
    "qaa": _phonology("p t k b d m n l r s v f", "a e i o u", "l n r s t"),
    "qab": _phonology("b d g m n l r w z h j v", "a e i o u", "n m l g d z"),
    "qac": _phonology("p t k c m n r v pr tr kr s", "a e i o u", "r x s n k"),
    "qad": _phonology("d g b sh st r n m l h f w", "a o u e", "rn ld sh st m f"),
    "qae": _phonology("k t s y m n l h ch d", "a e ö ü i", "k l n m y"),
    "qaf": _phonology("f y t kw ng m w p n nd", "a e o u i", "h p w ng m"),
}
