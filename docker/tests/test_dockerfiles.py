"""What can be said of the images without building one: arguments, locks, and what a build copies."""

import re
from pathlib import Path

import pytest

import lock
from build import build_command
from variants import PAPERS, VARIANTS, build_arguments

ROOT = Path(__file__).resolve().parents[2]


def dockerfile(paper):
    return (ROOT / "docker" / (paper + ".Dockerfile")).read_text()


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("paper", sorted(PAPERS))
def test_a_dockerfile_declares_every_argument_it_is_given(paper, variant):
    given = set(build_arguments(PAPERS[paper].variants[variant], "abc"))
    assert given <= set(re.findall(r"^ARG (\w+)", dockerfile(paper), re.MULTILINE))


@pytest.mark.parametrize("paper", sorted(PAPERS))
def test_the_defaults_are_those_of_the_variant_modern(paper):
    defaults = dict(re.findall(r'^ARG (\w+)="?([^"\n]*)"?$', dockerfile(paper), re.MULTILINE))
    given = build_arguments(PAPERS[paper].variants["modern"], "unknown")
    assert {name: defaults[name] for name in given} == given


@pytest.mark.parametrize("paper", sorted(PAPERS))
def test_what_is_copied_exists_and_is_in_the_build_context(paper):
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for source in re.findall(r"^COPY (?!--from)(\S+)", dockerfile(paper), re.MULTILINE):
        assert (ROOT / source).exists()
        wildcard = "*/" + source.split("/", 1)[1]
        assert any(source == path or source.startswith(path + "/") or wildcard == path for path in allowed), source


@pytest.mark.parametrize("paper", sorted(PAPERS))
def test_files_a_variant_names_exist(paper):
    for variant in PAPERS[paper].variants.values():
        assert (ROOT / "docker/locks" / ("%s-%s.txt" % (PAPERS[paper].folder, variant.stack))).exists()
        assert not variant.further_requirements or (ROOT / variant.further_requirements).exists()


def test_locks_name_the_versions_of_the_requirement_files(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["lock.py", "--check"])
    assert lock.main() == 0, capsys.readouterr().out


def test_a_stale_lock_is_noticed(tmp_path, monkeypatch, capsys):
    for path in lock.LOCKS.iterdir():
        (tmp_path / path.name).write_text(path.read_text().replace("numpy==", "numpy==0"))
    monkeypatch.setattr(lock, "LOCKS", tmp_path)
    monkeypatch.setattr("sys.argv", ["lock.py", "--check"])
    assert lock.main() == 1
    assert "python docker/lock.py" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["modern", "era"])
@pytest.mark.parametrize("slug", ["da-imrn", "apdclnn"])
def test_cuda_for_another_tensorflow_than_the_requirements_name_is_noticed(slug, name, monkeypatch, capsys):
    assert lock.stale_cuda() == 0, capsys.readouterr().out
    other = PAPERS[slug].variants[name]._replace(further_requirements="docker/locks/cuda-tensorflow-1.0.txt")
    paper = PAPERS[slug]._replace(variants={**PAPERS[slug].variants, name: other})
    monkeypatch.setitem(PAPERS, slug, paper)
    monkeypatch.setattr("sys.argv", ["lock.py", "--check"])
    assert lock.main() == 1
    told = capsys.readouterr().out
    assert "variants.py: %s of %s gets docker/locks/cuda-tensorflow-1.0.txt" % (name, slug) in told
    assert "%s/requirements/%s.txt" % (paper.folder, name) in told


def test_every_locked_package_has_a_hash():
    for path in lock.LOCKS.iterdir():
        for entry in re.split(r"\n(?=\S)", path.read_text())[1:]:
            assert "--hash=sha256:" in entry, "%s: %s" % (path.name, entry)


def test_build_command_passes_arguments_and_mounts():
    words = build_command(["buildah", "bud"], "a2s2k", "name:tag", {"BASE": "debian"}, ["/a:/b:ro"])
    assert words[:2] == ["buildah", "bud"] and words[-1] == str(ROOT)
    assert "BASE=debian" in words and words[words.index("--volume") + 1] == "/a:/b:ro"
