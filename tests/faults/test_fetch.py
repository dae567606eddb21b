"""Many datasets from several hosts: fetched side by side and politely, and what fails stops nothing else."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from faults.fault_server import Behaviour, FaultServer, cut, html, silent, status, wait_until, whole
from l2audit.data import fetch as fetch_module
from l2audit.data import raw as raw_module
from l2audit.data.fetch import Fetched, fetch, is_fetched
from repository_copy import Copy, Outcome

STUDY = """\
name: {study}
title: A study for tests
verdicts: false
datasets: [{names}]
architectures:
  linear:
    betas: [0, 0.01]
    losses: {{classification: [cross_entropy]}}
contaminations:
  classification: [{{kind: sym, rate: 0.2}}]
seeds: 2
penalty: l2
optimizer: adam
rows: {{train: 50, validation: 30, test: 40}}
training: {{learning_rate: 0.01, steps: 20, batch: 16}}
"""
Entries = dict[str, dict[str, Any]]


@pytest.fixture(autouse=True)
def near_and_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(raw_module, "PAUSE", 0.01)
    monkeypatch.setattr(raw_module, "TIMEOUTS", (2, 0.5))


@pytest.fixture
def servers() -> Iterator[tuple[FaultServer, FaultServer]]:
    with FaultServer() as first, FaultServer() as second:
        yield first, second


def table(name: str, rows: int = 160) -> bytes:
    """A table of a dataset's own, which a study can train on."""
    start = sum(name.encode())
    lines = [f"{i % 13},{(i * start) % 7},{'even' if (i + i % 13) % 2 else 'odd'}" for i in range(rows)]
    return ("a,b,kind\n" + "\n".join(lines) + "\n").encode()


def entry(name: str, url: str, *mirrors: str) -> dict[str, Any]:
    content = table(name)
    file = {"url": url, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    words = {"licence": "mine", "citation": "me", "description": f"The table {name}."}
    files = [file | ({"mirrors": list(mirrors)} if mirrors else {})]
    return {"source": "https", "files": files, "task": "classification", "target": "kind", **words}


def serve(server: FaultServer, *names: str, behaviours: tuple[Behaviour, ...] = (whole,)) -> Entries:
    return {name: entry(name, server.serve(f"/{name}.csv", table(name), *behaviours)) for name in names}


def get(entries: Entries, root: Path, **settings: Any) -> Fetched:
    return fetch(entries, dict.fromkeys(entries, "origin"), root, **settings)


def pause(handler: Any, content: bytes) -> None:
    """The file, after a while in which another request would be noticed."""
    time.sleep(0.03)
    whole(handler, content)


# ------------------------------------------------------------------------------------- the fetch by itself


def test_hosts_are_asked_side_by_side_and_each_one_thing_at_a_time(
    servers: tuple[FaultServer, FaultServer], tmp_path: Path
) -> None:
    first, second = servers
    entries = serve(first, *(f"a{i}" for i in range(12)), behaviours=(pause,))
    entries |= serve(second, *(f"b{i}" for i in range(12)), behaviours=(pause,))
    # Files that the first host does not give any more are asked for at the second.
    for i in range(4):
        gone = first.serve(f"/c{i}.csv", b"", status(404))
        entries[f"c{i}"] = entry(f"c{i}", gone, second.serve(f"/m/c{i}.csv", table(f"c{i}"), pause))
    seen = []

    def both() -> bool:
        seen.append(first.open + second.open)
        return False

    result = watched(both, lambda: get(entries, tmp_path))
    assert (first.most_at_once, second.most_at_once) == (1, 1)
    assert max(seen) == 2
    assert result.failed == {}
    for name in entries:
        assert is_fetched(tmp_path / name, name, "origin")
        assert (tmp_path / name / entries[name]["files"][0]["url"].rpartition("/")[2]).read_bytes() == table(name)
    size = sum(len(table(name)) for name in entries)
    hosts = f"16 from {second.base.partition('://')[2]}, 12 from {first.base.partition('://')[2]}"
    assert result.summary("log") == f"28 datasets, {size / 1000:.1f} kB: {hosts}"


def watched(look: Callable[[], bool], work: Callable[[], Fetched]) -> Fetched:
    """What `work` returns; meanwhile `look` is called again and again."""
    import threading

    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.002):
            look()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        return work()
    finally:
        done.set()
        watcher.join()


def test_what_fails_stops_nothing_and_is_told_in_one_line_and_a_second_fetch_asks_for_it_alone(
    servers: tuple[FaultServer, FaultServer], tmp_path: Path
) -> None:
    server = servers[0]
    entries = serve(server, "one", "two", behaviours=(cut, whole)) | serve(
        server, "bad", behaviours=(status(404), whole)
    )
    entries |= serve(server, "page", behaviours=(html, whole))
    result = get(entries, tmp_path)
    assert sorted(result.got) == ["one", "two"]
    assert result.failed["bad"] == f"{server.base}/bad.csv: answered 404"
    begins = 'sent an HTML page (it begins "<!DOCTYPE html> <html><head><title>Moved</title></head></htm…") and not'
    assert begins in result.failed["page"]
    summary = result.summary("the.log")
    assert "\n" not in summary
    assert summary.startswith("4 datasets, ")
    assert "2 from 127.0.0.1:" in summary and "; 2 failed: bad (http://" in summary
    assert "run the same command again: what is there is kept" in summary
    before = len(server.requests)
    again = get(entries, tmp_path)
    assert len(server.requests) == before + 2
    assert ", 2 there already" in again.summary("the.log")
    assert again.failed == {}


def test_a_host_that_is_away_is_given_up_and_the_others_are_not(
    servers: tuple[FaultServer, FaultServer], tmp_path: Path
) -> None:
    away, there = servers
    entries = serve(away, *(f"a{i}" for i in range(6)), behaviours=(status(503),)) | serve(there, "b")
    result = get(entries, tmp_path)
    assert result.got == ["b"]
    assert len(away.requests) == fetch_module.PATIENCE * raw_module.ROUNDS
    assert "not asked: 127.0.0.1:" in result.failed["a5"]
    assert "6 failed: a0 (" in result.summary("x") and "and 1 more" not in result.summary("x")
    assert ", 1 more; run" in result.summary("x")


def test_offline_names_every_file_of_every_dataset(servers: tuple[FaultServer, FaultServer], tmp_path: Path) -> None:
    entries = serve(servers[0], "one", "two", "three")
    (tmp_path / "two").mkdir()
    (tmp_path / "two/two.csv").write_bytes(table("two"))
    result = get(entries, tmp_path, offline=True)
    assert result.got == ["two"]
    assert result.offline is not None
    message = str(result.offline)
    assert "offline, and 2 of 3 files are not there" in message
    for name in ("one", "three"):
        assert f"{tmp_path}/{name}/{name}.csv: {len(table(name))} bytes, SHA-256 " in message
    assert servers[0].requests == []


def test_a_mirror_is_one_host(servers: tuple[FaultServer, FaultServer], tmp_path: Path) -> None:
    mirror = servers[0]
    entries = {f"a{i}": entry(f"a{i}", f"https://h{i % 3}.example/a{i}.csv") for i in range(9)}
    for i in range(9):
        mirror.serve(f"/h{i % 3}.example/a{i}.csv", table(f"a{i}"), pause)
    result = get(entries, tmp_path, mirror=mirror.base)
    assert result.failed == {}
    assert mirror.most_at_once == 1
    assert f"9 from {mirror.base.partition('://')[2]}" in result.summary("log")


def test_one_bar_for_all_on_a_terminal_and_nothing_elsewhere(
    servers: tuple[FaultServer, FaultServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for kind in (Terminal, io.StringIO):
        screen = kind()
        monkeypatch.setattr("sys.stderr", screen)
        entries = serve(servers[0], *(f"a{i}" for i in range(5)), behaviours=(cut, pause))
        get(entries, tmp_path / kind.__name__)
        shown = screen.getvalue()
        assert ("7.01k [" in shown) == (kind is Terminal), shown
        assert "a0.csv" not in shown


# ------------------------------------------------------------------------------------- Snakemake and the fetch


def study(copy: Copy, *names: str, study: str = "tiny") -> None:
    copy.write(f"config/studies/{study}.yaml", STUDY.format(study=study, names=", ".join(names)))


def declare(copy: Copy, entries: Entries) -> None:
    copy.add("config/datasets.yaml", *(yaml.safe_dump({name: declared}) for name, declared in entries.items()))


def prepare(copy: Copy, *names: str, study: str = "tiny") -> Outcome:
    return copy.snakemake(*(f"data/prepared/{name}.json" for name in names), study=study)


def planned(copy: Copy, *names: str, study: str = "tiny") -> dict[str, int]:
    return copy.jobs(*(f"data/prepared/{name}.json" for name in names), study=study)


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy.make(tmp_path / "repository")


def test_ninety_files_are_one_job_and_one_line(
    servers: tuple[FaultServer, FaultServer], tmp_path: Path, copy: Copy
) -> None:
    names = [f"a{i}" for i in range(60)] + [f"b{i}" for i in range(30)]
    entries = serve(servers[0], *names[:60]) | serve(servers[1], *names[60:])
    declare(copy, entries)
    study(copy, *names)
    manifests = [f"data/raw/{name}/manifest.json" for name in names]
    assert copy.jobs(*manifests) == {"fetch": 1}
    outcome = copy.snakemake(*manifests)
    assert outcome.status == 0, outcome.text
    lines = [line for line in outcome.text.splitlines() if line.startswith("data: ")]
    assert len(lines) == 1
    assert "data: 90 datasets, " in lines[0] and "60 from " in lines[0] and "30 from " in lines[0]
    assert (servers[0].most_at_once, servers[1].most_at_once) == (1, 1)
    assert len(outcome.text.splitlines()) < 30, outcome.text
    assert copy.jobs(*manifests) == {}


def test_another_study_or_an_edited_entry_redoes_nothing_else(
    servers: tuple[FaultServer, FaultServer], copy: Copy
) -> None:
    server = servers[0]
    declare(copy, serve(server, "one", "two", "three", "four"))
    study(copy, "one", "two", "three", study="first")
    study(copy, "two", "four", study="second")
    assert prepare(copy, "one", "two", "three", study="first").status == 0
    assert planned(copy, "two", "four", study="second") == {"fetch": 1, "prepare": 1}
    assert prepare(copy, "two", "four", study="second").status == 0
    assert sorted(server.requests) == ["/four.csv", "/one.csv", "/three.csv", "/two.csv"]
    assert planned(copy, "one", "two", "three", study="first") == {}
    assert planned(copy, "two", "four", study="second") == {}
    assert planned(copy, "four", study="first") == {}  # not of this study, and there

    copy.edit("config/datasets.yaml", "The table one.", "Another word.")
    assert planned(copy, "two", "four", study="second") == {}
    assert planned(copy, "one", "two", "three", study="first") == {"fetch": 1, "prepare": 1}
    outcome = prepare(copy, "one", "two", "three", study="first")
    assert outcome.status == 0, outcome.text
    assert "data: 1 dataset, 0 B: 1 there already" in outcome.text
    assert len(server.requests) == 4  # the bytes are the same
    assert planned(copy, "one", "two", "three", study="first") == {}

    copy.edit("config/datasets.yaml", "The table two.", "Another word.")
    assert planned(copy, "two", "four", study="second") == {"fetch": 1, "prepare": 1}
    assert prepare(copy, "two", "four", study="second").status == 0
    assert planned(copy, "one", "two", "three", study="first") == {}


def test_what_was_deleted_is_fetched_when_it_is_needed(servers: tuple[FaultServer, FaultServer], copy: Copy) -> None:
    server, names = servers[0], ("one", "two", "three")
    declare(copy, serve(server, *names))
    study(copy, *names)
    assert prepare(copy, *names).status == 0
    (copy.root / "data/raw/one/one.csv").unlink()
    (copy.root / "data/raw/two/manifest.json").unlink()
    assert planned(copy, *names) == {}  # they are prepared
    for kind in ("npz", "json", "croissant.json"):
        for name in ("one", "two"):
            (copy.root / f"data/prepared/{name}.{kind}").unlink()
    assert planned(copy, *names) == {"fetch": 1, "prepare": 2}
    outcome = prepare(copy, *names)
    assert outcome.status == 0, outcome.text
    assert server.requests[3:] == ["/one.csv"]
    assert planned(copy, *names) == {}
    (copy.root / "data/raw/one/one.csv").unlink()  # for the third time, and Snakemake has seen all of it before
    (copy.root / "data/prepared/one.npz").unlink()
    assert prepare(copy, *names).status == 0
    assert planned(copy, *names) == {}
    # Forced, whatever is missing is fetched by the rule of one dataset.
    (copy.root / "data/raw/three/manifest.json").unlink()
    outcome = copy.snakemake("--forceall", *(f"data/prepared/{name}.json" for name in names))
    assert outcome.status == 0, outcome.text


def test_a_dataset_that_fails_stops_no_other(servers: tuple[FaultServer, FaultServer], copy: Copy) -> None:
    server = servers[0]
    entries = serve(server, "one", "two") | serve(server, "bad", behaviours=(html, whole))
    declare(copy, entries)
    study(copy, *entries)
    outcome = prepare(copy, *entries)
    assert outcome.status == 1
    assert "data: 3 datasets, " in outcome.text and "1 failed: bad (http://" in outcome.text
    assert "sent an HTML page" in outcome.text
    assert "error: data/raw/bad/manifest.json: stands for a download that failed" in outcome.text
    assert "Traceback" not in outcome.text
    assert "look at the address in a browser" in copy.read("data/logs/fetch.log")
    for name in ("one", "two"):
        assert (copy.root / f"data/prepared/{name}.npz").exists()
    assert not (copy.root / "data/raw/bad/manifest.json").exists()
    assert planned(copy, *entries) == {"fetch": 1, "prepare": 1}
    outcome = prepare(copy, *entries)
    assert outcome.status == 0, outcome.text
    assert "data: 1 dataset, " in outcome.text

    declare(copy, serve(server, "alone", behaviours=(status(404), whole)))
    study(copy, *entries, "alone")
    outcome = prepare(copy, *entries, "alone")
    assert outcome.status == 1
    assert not (copy.root / "data/raw/alone/manifest.json").exists()
    assert prepare(copy, *entries, "alone").status == 0


def test_a_stand_in_that_a_kill_left_is_fetched(servers: tuple[FaultServer, FaultServer], copy: Copy) -> None:
    server = servers[0]
    entries = serve(server, "one") | serve(server, "bad", behaviours=(status(404), whole))
    declare(copy, entries)
    study(copy, *entries)
    copy.edit(
        "scripts/prepare.py", "    refuse_failed(manifest)\n", "    raise SystemExit(1)\n"
    )  # as if it were killed
    assert prepare(copy, *entries).status == 1
    assert '"failed"' in copy.read("data/raw/bad/manifest.json")
    assert copy.jobs("data/raw/bad/manifest.json") == {"fetch": 1}
    copy.edit("scripts/prepare.py", "    raise SystemExit(1)\n", "    refuse_failed(manifest)\n")
    outcome = prepare(copy, *entries)
    assert outcome.status == 0, outcome.text


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_what_is_whole_is_kept_when_the_run_is_ended(
    servers: tuple[FaultServer, FaultServer], copy: Copy, sent: signal.Signals
) -> None:
    server = servers[0]
    entries = serve(server, "one", "two") | serve(server, "held", behaviours=(silent, whole)) | serve(server, "four")
    declare(copy, entries)
    study(copy, *entries)
    running = copy.start(*(f"data/prepared/{name}.json" for name in entries))
    wait_until(lambda: "/held.csv" in server.requests, seconds=60)
    os.killpg(running.pid, sent)
    running.wait(timeout=60)
    assert running.returncode != 0
    if sent == signal.SIGINT:
        assert "stopped before 3 of them; run the same command again" in copy.read("started.log")
    assert "Traceback" not in copy.read("started.log")
    outcome = prepare(copy, *entries)
    assert outcome.status == 0, outcome.text
    assert sorted(server.requests) == ["/four.csv", "/held.csv", "/held.csv", "/one.csv", "/two.csv"]
    assert planned(copy, *entries) == {}


def test_offline_and_a_mirror_through_snakemake(
    servers: tuple[FaultServer, FaultServer], copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = servers[0]
    entries = {name: entry(name, f"https://h.example/{name}.csv") for name in ("one", "two")}
    for name in entries:
        mirror.serve(f"/h.example/{name}.csv", table(name))
    declare(copy, entries)
    study(copy, *entries)
    monkeypatch.setattr("repository_copy.environment", with_variable("L2AUDIT_OFFLINE", "1"))
    outcome = prepare(copy, *entries)
    assert outcome.status == 1
    assert "error: data/raw: offline, and 2 of 2 files are not there" in outcome.text
    assert outcome.text.count("    data/raw/") == 2
    monkeypatch.undo()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("repository_copy.environment", with_variable("L2AUDIT_MIRROR", mirror.base))
    outcome = prepare(copy, *entries)
    assert outcome.status == 0, outcome.text
    assert f"2 from {mirror.base.partition('://')[2]}" in outcome.text


def with_variable(name: str, value: str) -> Callable[[], dict[str, str]]:
    from repository_copy import environment

    return lambda: environment() | {name: value}
