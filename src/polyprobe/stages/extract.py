"""Runs a checkpoint over the treebanks and keeps the hidden states of words; compares parallel sentences on the way."""

from functools import partial
from pathlib import Path

import pandas as pd

from polyprobe.alignment.similarity import no_similarities, similarity_table
from polyprobe.artefacts import embeddings, manifest, parallel, similarity, words
from polyprobe.artefacts.manifest import Manifest
from polyprobe.running.files import new_folder
from polyprobe.running.knobs import knobs
from polyprobe.running.stage import run_keyed_stage
from polyprobe.running.threads import use_threads
from polyprobe.study import Study


def extract(study: Study, key: str) -> None:
    """Writes `data/embeddings/KEY/`: one file per layer and language, and the similarities."""
    checkpoint = manifest.read(manifest.path(key))
    layers = study.layers_of(key, checkpoint.layers)
    with new_folder(embeddings.FOLDER / key) as folder:
        compared = no_similarities() if checkpoint.dropped else _embed(study, checkpoint, layers, folder)
        similarity.write(folder / similarity.NAME, compared)


def _embed(study: Study, checkpoint: Manifest, layers: list[int], folder: Path) -> pd.DataFrame:
    """Writes the words' embeddings and returns the similarities of parallel sentences."""
    from polyprobe import checkpoints

    machine = knobs()
    use_threads(machine.threads)
    model = checkpoints.load_model(checkpoint, study.extract.dtype, machine.torch_device())
    tokenizer = checkpoints.load_tokenizer(checkpoint)
    caps = study.extract.max_words.model_dump() if study.extract.max_words else None
    for language in study.languages:
        table = words.read(words.path(language))
        rows = checkpoints.select_words(
            table, caps, study.words.min_label_count, seed=study.extract.seed, language=language
        )
        with embeddings.writing(folder, layers, language, rows.astype("int32"), checkpoint.width) as writer:
            metadata = checkpoints.embed_selected_words(
                model, tokenizer, table, rows, layers, manifest=checkpoint, language=language,
                tokenisation=study.extract.tokenisation, batch_tokens=machine.batch_tokens, append=writer.append,
            )  # fmt: skip
            writer.finish(metadata)
    embed = partial(
        checkpoints.sentence_embeddings, model, tokenizer,
        layers=layers, poolings=study.parallel.poolings, batch_tokens=machine.batch_tokens,
    )  # fmt: skip
    return similarity_table(parallel.read(), embed, study.source_language)


if __name__ == "__main__":
    run_keyed_stage(extract, section="checkpoints")
