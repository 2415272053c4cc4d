"""Runs a checkpoint over the treebanks and keeps the hidden states of words; compares parallel sentences on the way."""

from dataclasses import asdict
from functools import partial
from pathlib import Path

import pandas as pd

from polyprobe.artefacts import embeddings, manifest, parallel, similarity, subwords, words
from polyprobe.artefacts._tables import Entry
from polyprobe.checkpoints.similarity import no_similarities, similarity_table
from polyprobe.choices.layers import layers_of
from polyprobe.running.files import new_folder
from polyprobe.running.knobs import knobs
from polyprobe.running.machine import use_threads
from polyprobe.stage import run_keyed_stage
from polyprobe.study import Study


def extract(study: Study, key: str) -> None:
    """Write `data/embeddings/KEY/` (a file per layer and language), similarities and counts of sub-words.

    Args:
        study: the parameters.
        key: the checkpoint's; one that was dropped from the study gets empty outputs.
    """
    checkpoint = manifest.read(manifest.path(key))
    with new_folder(embeddings.FOLDER / key) as folder:
        counts, compared = ([], no_similarities()) if checkpoint.dropped else _embed(study, checkpoint, folder)
    similarity.TABLE.write(compared, similarity.TABLE.at(checkpoint=key))
    subwords.TABLE.write(counts, subwords.TABLE.at(checkpoint=key))


def _embed(study: Study, checkpoint: manifest.Manifest, folder: Path) -> tuple[list[Entry], pd.DataFrame]:
    """Write the words' embeddings, and compare parallel sentences.

    Args:
        study: the parameters.
        checkpoint: one that was not dropped.
        folder: where the embeddings go.

    Returns:
        How the words of each language were cut into sub-words, and the similarities of parallel sentences.
    """
    from polyprobe.checkpoints.embedding import sentence_embeddings
    from polyprobe.checkpoints.extraction import embed_selected_words
    from polyprobe.checkpoints.loading import load_model
    from polyprobe.checkpoints.location import location_of
    from polyprobe.checkpoints.selection import select_words
    from polyprobe.checkpoints.tokenizer import load_tokenizer

    machine, layers = knobs(), layers_of(study, checkpoint.checkpoint, checkpoint.layers)
    use_threads(machine.threads)
    location = location_of(checkpoint, study.checkpoint(checkpoint.checkpoint).weights)
    model = load_model(location, study.extract.dtype, machine.torch_device())
    tokenizer = load_tokenizer(location)
    caps = study.extract.max_words.model_dump() if study.extract.max_words else None
    metadata = {"weights_sha256": checkpoint.weights_sha256, "tokenisation": study.extract.tokenisation}
    counts: list[Entry] = []
    for language in study.languages:
        table = words.TABLE.read(words.TABLE.at(language=language))
        rows = select_words(table, caps, study.words.min_label_count, seed=study.extract.seed, language=language)
        with embeddings.writing(folder, layers, language, rows.astype("int32"), checkpoint.width, metadata) as writer:
            cut = embed_selected_words(
                model,
                tokenizer,
                table,
                rows,
                layers,
                manifest=checkpoint,
                language=language,
                tokenisation=study.extract.tokenisation,
                batch_tokens=machine.batch_tokens,
                append=writer.append,
            )
        counts.append({"language": language} | asdict(cut))
    embed = partial(
        sentence_embeddings,
        model,
        tokenizer,
        layers=layers,
        poolings=study.parallel.poolings,
        batch_tokens=machine.batch_tokens,
    )
    return counts, similarity_table(parallel.TABLE.read(), embed, study.source_language)


if __name__ == "__main__":
    run_keyed_stage(extract, section="checkpoints")
