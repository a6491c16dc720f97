"""Releases that are not from those who make them are refused, each for its own reason; those that are, are taken."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from trust_world import DAY, START, World

from phiomia.upgrade import release
from phiomia.upgrade.manifest import Change, Manifest, write_manifest
from phiomia.upgrade.signers import FEED, SignersError, read_signers, read_signers_of
from phiomia.upgrade.trust import pin

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """1.0.0 is installed and names who signs."""
    made = World(tmp_path)
    made.release("1.0.0", made.ours, signers=made.ours.line())
    made.install("1.0.0")
    return made


def test_the_right_key(world: World) -> None:
    """It says who has signed, and needs no network."""
    commit = world.release("1.1.0", world.ours)
    verdict = world.look("1.1.0")
    assert verdict.refusals == () and verdict.commits == {"1.1.0": commit} and verdict.notes == ()
    assert verdict.signed[0].startswith("v1.1.0: releases@phiomia, ED25519 SHA256:")
    world.git("remote", "set-url", "origin", "/nowhere", at=world.places.checkout)
    world.git("remote", "remove", "origin", at=world.places.checkout)
    assert world.look("1.1.0").commits == {"1.1.0": commit}


def test_unsigned(world: World) -> None:
    world.release("1.1.0")
    assert world.refusal("1.1.0") == (
        "unsigned",
        "v1.1.0 is not signed, and the installed release asks for a signature.",
    )


def test_lightweight(world: World) -> None:
    world.release("1.1.0", world.ours)
    world.git("tag", "--no-sign", "v1.2.0", "HEAD")
    code, words = world.refusal("1.2.0")
    assert code == "lightweight" and "v1.2.0 is a lightweight tag, which nobody can sign" in words


def test_wrong_key(world: World) -> None:
    world.release("1.1.0", world.theirs)
    code, words = world.refusal("1.1.0")
    assert code == "key" and "v1.1.0 is signed by somebody else than who makes releases (ED25519 key SHA256:" in words


def test_a_release_can_not_name_its_own_signers(world: World) -> None:
    """Only what is verified says who signs what follows."""
    world.release("1.1.0", world.theirs, signers=world.theirs.line())
    assert world.refusal("1.1.0")[0] == "key"
    world.release("1.2.0", world.theirs)
    refused = world.look("1.2.0").refusals
    assert [(one.code, str(one)[:6]) for one in refused] == [("key", "v1.1.0"), ("key", "v1.2.0")]


def test_a_key_for_something_else(world: World) -> None:
    """The key of the feed signs no releases."""
    both = world.ours.line() + world.theirs.line(FEED)
    world.release("1.1.0", world.ours, signers=both)
    world.install("1.1.0")
    world.release("1.2.0", world.theirs)
    assert world.refusal("1.2.0")[0] == "key"


def test_expired_key(tmp_path: Path) -> None:
    """What was signed before is good for ever; what is signed later is not, and nobody can write an old date on it."""
    world = World(tmp_path)
    world.day = 100
    over = ',valid-before="20250930000000Z"'  # day 107
    world.release("1.0.0", world.ours, signers=world.ours.line(options=over))
    world.install("1.0.0")
    world.release("1.1.0", world.ours)
    assert world.look("1.1.0").refusals == ()
    world.install("1.1.0")
    world.day = 120
    world.release("1.2.0", world.ours)
    assert world.refusal("1.2.0") == (
        "expired",
        "v1.2.0 is signed with a key that was not valid any more when it was signed.",
    )
    world.day = 10
    world.release("1.3.0", world.ours)
    assert world.refusal("1.3.0")[0] == "date"


def test_a_date_to_come(world: World) -> None:
    world.day = 365 * 60
    world.release("1.1.0", world.ours)
    assert START + world.day * DAY > 2**31
    assert world.refusal("1.1.0")[0] == "date"


def test_moved_tag(world: World) -> None:
    """At the origin after it was fetched, or here after it was pinned."""
    commit = world.release("1.1.0", world.ours)
    world.look("1.1.0")
    pin(world.places.state, "1.1.0", commit)
    world.release("1.1.1", world.ours)
    world.tag("1.1.0", world.ours, "--force")
    code, words = world.refusal("1.1.0")
    assert code == "tag" and "another one where this checkout came from" in words
    assert world.look("1.1.1").refusals == (), "what was not moved is fetched all the same"
    world.git("fetch", "--quiet", "--tags", "--force", at=world.places.checkout)
    code, words = world.refusal("1.1.0")
    assert code == "tag" and f"The tag v1.1.0 was {commit[:12]} and is" in words and "find out who moved it" in words


def test_branch_with_the_name_of_the_tag(world: World) -> None:
    """Git would check the branch out."""
    world.release("1.1.0", world.ours)
    world.fetch()
    world.git("branch", "v1.1.0", "refs/tags/v1.0.0", at=world.places.checkout)
    code, words = world.refusal("1.1.0")
    assert code == "branch" and "`git checkout v1.1.0` would take the branch" in words


def test_an_older_release_under_a_new_name(world: World) -> None:
    """A good signature of an old release does not make it a new one."""
    world.release("1.1.0", world.ours)
    world.git("update-ref", "refs/tags/v1.9.0", "refs/tags/v1.0.0")
    code, words = world.refusal("1.9.0")
    assert code == "tag" and "The tag v1.9.0 calls itself v1.0.0" in words


def test_an_object_that_is_shown_in_place_of_another(world: World) -> None:
    """Git can be told to show one object where another is asked for; the signature must be that of the tag itself."""
    good = world.release("1.1.0", world.ours)
    world.fetch()
    live = world.places.checkout
    signed = world.git("rev-parse", "refs/tags/v1.1.0", at=live).strip()
    evil = world.git("commit-tree", f"{good}^{{tree}}", "-p", good, "-m", "evil", at=live).strip()
    text = world.git("cat-file", "tag", signed, at=live).replace(good, evil)
    (world.folder / "forged").write_text(text)
    forged = world.git("hash-object", "-t", "tag", "-w", str(world.folder / "forged"), at=live).strip()
    world.git("remote", "remove", "origin", at=live)
    world.git("update-ref", "refs/tags/v1.1.0", forged, at=live)
    assert world.refusal("1.1.0")[0] == "signature"
    world.git("replace", "--force", forged, signed, at=live)
    assert world.refusal("1.1.0")[0] == "signature"


def test_rotation_over_skipped_releases(world: World) -> None:
    """Each is verified by the signers of the release before it that named others; those in between may be skipped."""
    world.release("1.1.0", world.ours, signers=world.ours.line() + world.theirs.line())
    world.release("1.2.0", world.theirs, signers=world.theirs.line())
    world.release("1.3.0")  # nobody stops here, and 1.4.0 stands for it
    commit = world.release("1.4.0", world.theirs)
    verdict = world.look("1.4.0")
    assert verdict.refusals == () and verdict.commits["1.4.0"] == commit
    assert [one.partition(":")[0] for one in verdict.signed] == ["v1.1.0", "v1.2.0", "v1.4.0"]
    world.release("1.5.0", world.ours)
    assert world.refusal("1.5.0")[0] == "key", "the old key is over"


def test_before_anybody_is_named(tmp_path: Path) -> None:
    """Nothing is asked, but it is said; from the release on that names signers it is."""
    world = World(tmp_path)
    world.release("1.0.0")
    world.install("1.0.0")
    world.release("1.1.0")
    verdict = world.look("1.1.0")
    assert verdict.refusals == () and verdict.signed == ()
    assert verdict.notes == ("Releases are not signed: 1.0.0 names nobody who may sign them.",)
    world.demand = "require"
    assert world.refusal("1.1.0")[0] == "signers"
    world.demand = "auto"
    world.release("1.2.0", world.ours, signers=world.ours.line())
    world.release("1.3.0", world.ours)
    assert [one.partition(":")[0] for one in world.look("1.3.0").signed] == ["v1.3.0"]
    world.release("1.4.0", world.theirs)
    assert world.refusal("1.4.0")[0] == "key"


def test_nobody_looks(world: World) -> None:
    """It can be switched off, and says so."""
    world.release("1.1.0", world.theirs)
    world.demand = "off"
    verdict = world.look("1.1.0")
    assert verdict.refusals == () and verdict.notes == ("Nobody looks at signatures: upgrade.signatures is off.",)


def test_what_is_wrong_with_signers(world: World) -> None:
    """Each key is named for one purpose."""
    good = world.ours.line()
    assert [one.principal for one in read_signers(f"# ours\n\n{good}")] == ["releases@phiomia"]
    for text, words in (
        (good.replace('namespaces="git" ', ""), 'needs namespaces="git"'),
        (good.replace('"git"', '"file"'), 'needs namespaces="git"'),
        (good.replace("releases@phiomia", "*"), "may sign nothing here"),
        (good.replace("namespaces", "cert-authority,namespaces"), "named one by one"),
        ('releases@phiomia namespaces="git"\n', "no key"),
    ):
        with pytest.raises(SignersError, match="releases/allowed_signers:1: ") as error:
            read_signers(text)
        assert words in str(error.value)
    world.release("1.1.0", world.ours)
    path = world.places.current / "releases/allowed_signers"
    path.write_text("nonsense\n")
    assert world.refusal("1.1.0")[0] == "signers"


def test_the_key_signs(world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The tag is looked at as servers will, and not made when they would refuse it."""
    for name, value in (("COMMITTER_NAME", "T"), ("COMMITTER_EMAIL", "t@mail.example")):
        monkeypatch.setenv(f"GIT_{name}", value)
    monkeypatch.setenv("HOME", str(world.folder))

    def tag(version: str, *options: str) -> tuple[int, str]:
        status = release.main([version, "--tag", *options], world.origin)
        said = capsys.readouterr()
        return status, said.out + said.err

    manifest = write_manifest(Manifest("1.1.0", datetime.date(2026, 11, 30), changes=(Change("fixed", "It."),)))
    (world.origin / "releases/1.1.0.toml").write_text(manifest)
    world.git("add", "--all")
    world.git("commit", "--quiet", "--message", "Release")
    assert tag("1.1.0") == (
        1,
        "script/release: servers will refuse v1.1.0 unless it is signed: --sign KEY, or git config user.signingkey\n",
    )
    status, said = tag("1.1.0", "--sign", str(world.theirs.path))
    assert status == 1 and "servers would refuse it, so it is not made: v1.1.0 is signed by somebody else" in said
    assert "v1.1.0" not in world.git("tag")
    status, said = tag("1.1.0", "--sign", str(world.ours.path))
    assert status == 0 and said.startswith("tagged v1.1.0, signed by releases@phiomia, ED25519")
    assert world.look("1.1.0").refusals == ()
    assert "It." in world.git("cat-file", "tag", "v1.1.0")


def test_the_file_that_is_shipped() -> None:
    """When there is one, everything in it can be read."""
    read_signers(read_signers_of(Path(__file__).resolve().parents[2]))
