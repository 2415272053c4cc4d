"""The bundle of Vega is made once, and a damaged copy is made anew."""

from pathlib import Path

import pytest

from polyprobe.report import vega


def test_a_kept_bundle_is_the_same_and_a_damaged_one_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLYPROBE_SCRATCH", str(tmp_path))
    made: list[str] = []

    def bundle() -> str:
        made.append("(() => {window.vegaEmbed = 'é\r\n';})();")
        return made[-1]

    monkeypatch.setattr(vega, "_bundle", bundle)
    assert vega.vega_script() == vega.vega_script() == made[0]
    assert len(made) == 1
    (kept,) = tmp_path.iterdir()
    whole = kept.read_bytes()
    for damaged in (b"", whole[:-3], whole.replace(b"vegaEmbed", b"vegaEmbeD")):
        kept.write_bytes(damaged)
        made.clear()
        assert vega.vega_script() == made[0]
        assert kept.read_bytes() == whole
