"""``facegate checks`` against a real server: what people see, and the exit status."""

import asyncio
import json
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from typer.testing import CliRunner, Result

from cli.main import app
from facegate_client import Compliance
from server.running.webhooks import new_webhook_secret
from tests.server.compliance.office import Office, open_office
from tests.server.live import until
from tests.server.running.receiver import secret_file


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    async with open_office(
        folder,
        compliance={"two_people": ["delete"]},
        # Nobody listens there.
        webhooks={
            "endpoints": {
                "hook": {
                    "tenant": "bank",
                    "url": "http://127.0.0.1:9/hook",
                    "secret_files": [secret_file(folder, new_webhook_secret())],
                    "events": ["check.decided"],
                    "allow_private": True,
                }
            }
        },
    ) as office:
        yield office


class Shell:
    """Runs commands as a caller, beside the server."""

    def __init__(self, office: Office, folder: Path) -> None:
        self.office = office
        self.folder = folder

    async def run(self, *arguments: str, by: str = "anna", command: str = "checks") -> Result:
        file = self.folder / f"{by}.key"
        await asyncio.to_thread(file.write_text, self.office.keys[by])
        target = ("--service", self.office.live.server.service_target, "--api-key-file", str(file))
        whole = (command, *arguments, *(target if command in {"checks", "review", "events"} else ()))
        return await asyncio.to_thread(lambda: CliRunner().invoke(app, list(whole)))


@pytest.fixture
def shell(office: Office, tmp_path: Path) -> Shell:
    return Shell(office, tmp_path)


async def test_a_check_is_found_shown_exported_and_verified(shell: Shell, tmp_path: Path) -> None:
    check_id = await shell.office.check("shell-1", scanned=True)
    listed = await shell.run("list", "--subject", "shell-1", "--json", by="reader")
    assert [json.loads(line)["check_id"] for line in listed.stdout.splitlines()] == [check_id]
    assert check_id in (await shell.run("list", "--status", "SUCCESS", by="reader")).stdout

    record, archive, jwks = (tmp_path / name for name in ("record.jws", "a.zip", "jwks.json"))
    shown = await shell.run(
        "show", check_id, "--images", str(tmp_path / "out"), "--purpose", "case", "--save", str(record)
    )
    assert shown.exit_code == 0
    assert "shell-1" in shown.stdout
    assert "attempt 1 (EXPRESS): " in shown.stdout
    images = await asyncio.to_thread(lambda: sorted(path.name for path in (tmp_path / "out").iterdir()))
    assert len(images) == 4
    export = ("export", check_id, "--purpose", "case", "--out", str(archive))
    assert (await shell.run(*export)).exit_code == 0
    assert (await shell.run(*export)).exit_code == 2
    jwks.write_text(json.dumps(shell.office.jwks.as_dict()))
    for saved, kind in ((record, "record"), (archive, "archive")):
        verified = await shell.run("verify", str(saved), "--jwks", str(jwks), "--json", command="result")
        assert (verified.exit_code, json.loads(verified.stdout)["kind"]) == (0, kind)
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)
    assert (await shell.run("verify", str(archive), "--jwks", str(jwks), command="result")).exit_code == 1


async def test_a_refusal_states_what_to_do(shell: Shell) -> None:
    refused = await shell.run("list", by="backend")
    assert refused.exit_code == 2
    assert "PERMISSION_DENIED" in refused.stderr
    assert "evidence.read" in refused.stderr
    check_id = await shell.office.check("shell-2")
    without = await shell.run("show", check_id, "--images", "out")
    assert without.exit_code == 2
    held = await shell.run("hold", check_id, "--reference", "case-1", "--reason", "court order")
    assert held.exit_code == 0
    deleted = await shell.run("erase", check_id, "--purpose", "mistake", "--yes")
    assert deleted.exit_code == 2
    assert "EVIDENCE_ON_HOLD" in deleted.stderr


async def test_an_erasure_is_confirmed_by_a_second_person(shell: Shell) -> None:
    check_id = await shell.office.check("shell-3")
    delete = ("erase", check_id, "--purpose", "mistake")
    assert (await shell.run(*delete)).exit_code == 1
    asked = await shell.run(*delete, "--yes")
    assert asked.exit_code == 3
    assert "Requested by anna" in asked.stdout
    done = await shell.run(*delete, "--yes", by="bert")
    assert "was erased" in done.stdout
    assert "Backups of the database" in done.stdout
    assert "EVIDENCE_ERASED" in (await shell.run("show", check_id)).stderr


async def test_an_erasure_names_the_person_and_their_checks_before_it_begins(shell: Shell) -> None:
    for _ in range(2):
        await shell.office.check("shell-5")
    erase = ("erase", "--subject", "shell-5", "--reason", "request", "--purpose", "letter")
    # Nobody answers.
    asked = await shell.run(*erase)
    assert asked.exit_code == 1
    assert "shell-5: 2 decided checks" in asked.stderr
    done = await shell.run(*erase, "--yes")
    assert (done.exit_code, "Erased 2 checks" in done.stdout) == (0, True)


async def test_an_unknown_person_is_no_success(shell: Shell) -> None:
    erase = ("erase", "--subject", "shell-nobody", "--reason", "request", "--purpose", "letter")
    assert "shell-nobody: 0 decided checks" in (await shell.run(*erase)).stderr
    done = await shell.run(*erase, "--yes")
    assert done.exit_code == 1
    assert "nothing was erased" in done.stdout
    assert "Erased" not in done.stdout


async def test_an_export_of_an_unknown_person_saves_nothing(shell: Shell) -> None:
    out = shell.folder / "person.zip"
    export = ("--purpose", "letter", "--out", str(out))
    unknown = await shell.run("export", "--subject", "shell-nobody", *export)
    assert (unknown.exit_code, list(shell.folder.glob("*person*"))) == (1, [])
    assert "nothing was saved. Is the reference right?" in unknown.stdout
    # Also of somebody whose only check is still open.
    await shell.office.open_check("shell-8")
    known = await shell.run("export", "--subject", "shell-8", *export)
    assert (known.exit_code, out.exists()) == (0, True)


async def test_every_archive_in_the_export_of_a_person_is_verified(shell: Shell) -> None:
    first, second = [await shell.office.check("shell-9", scanned=scanned) for scanned in (True, False)]
    still_open = await shell.office.open_check("shell-9")
    other = await shell.office.check("shell-10")
    out, jwks, strange = (shell.folder / name for name in ("person.zip", "jwks.json", "other.zip"))
    jwks.write_text(json.dumps(shell.office.jwks.as_dict()))
    exported = await shell.run("export", "--subject", "shell-9", "--purpose", "letter", "--out", str(out))
    assert f"facegate result verify {out}" in exported.stderr.replace("\n", "")
    await shell.run("export", other, "--purpose", "letter", "--out", str(strange))

    async def verified(code: int) -> dict[str, tuple[bool, str, str]]:
        words = ("verify", str(out), "--jwks", str(jwks))
        assert (await shell.run(*words, command="result")).exit_code == code
        document = json.loads((await shell.run(*words, "--json", command="result")).stdout)
        assert (document["kind"], document["verified"]) == ("person", code == 0)
        return {
            each["check_id"]: (each["verified"], each["left_out"], each["problem"])
            for each in document["checks"]
        }

    genuine = {first: (True, "", ""), second: (True, "", ""), still_open: (False, "CHECK_NOT_DECIDED", "")}
    assert await verified(0) == genuine
    with zipfile.ZipFile(out) as opened:
        files = {name: opened.read(name) for name in opened.namelist()}
    name = f"checks/{second}.zip"
    altered = bytearray(files[name])
    altered[len(altered) // 2] ^= 1
    for content, problem in (
        (bytes(altered), "altered"),
        (strange.read_bytes(), "of another check or person"),
        (None, "its archive is missing"),
    ):
        with zipfile.ZipFile(out, "w") as written:
            for each, old in files.items():
                new = content if each == name else old
                if new is not None:
                    written.writestr(each, new)
        found = await verified(1)
        assert problem in found.pop(second)[2]
        assert found == {key: value for key, value in genuine.items() if key != second}


async def test_a_broken_archive_of_a_person_is_a_sentence(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def export(*_args: object, **_options: object) -> AsyncIterator[bytes]:
        yield b"PK\x03\x04 and no more"

    monkeypatch.setattr(Compliance, "export_subject", export)
    out = shell.folder / "person.zip"
    result = await shell.run("export", "--subject", "shell-11", "--purpose", "letter", "--out", str(out))
    assert (result.exit_code, out.exists()) == (2, False)
    assert "no archive of a person; nothing was saved" in result.stderr


async def test_a_hold_that_exists_for_another_reason_is_no_success(shell: Shell) -> None:
    check_id = await shell.office.check("shell-7")
    hold = ("hold", check_id, "--reference", "case-1", "--reason")
    for _ in range(2):
        assert (await shell.run(*hold, "court order")).exit_code == 0
    other = await shell.run(*hold, "complaint")
    assert (other.exit_code, "because: court order" in other.stdout) == (1, True)
    assert "your reason was not recorded" in other.stderr


async def test_what_a_hold_keeps_of_a_person_is_named(shell: Shell) -> None:
    held = await shell.office.check("shell-4")
    await shell.run("hold", held, "--reference", "case-1", "--reason", "court order")
    erase = ("erase", "--subject", "shell-4", "--reason", "request", "--purpose", "letter", "--yes")
    asked = await shell.run(*erase[:-1])
    assert "1 decided check (1 on hold, which stays)" in asked.stderr
    first = await shell.run(*erase)
    assert (first.exit_code, held in first.stdout) == (1, True)
    assert "What may still contain" not in first.stdout
    assert "Erased 0 checks, and 0 rows of" in first.stdout
    assert "1 check is on hold and stays" in first.stdout
    released = await shell.run("hold", held, "--reference", "case-1", "--reason", "closed", "--release")
    assert "no hold keeps" in released.stdout
    second = await shell.run(*erase)
    assert (second.exit_code, "Erased 1 check, and" in second.stdout) == (0, True)
    assert "What may still contain" in second.stdout


async def test_a_request_for_a_second_person_is_withdrawn(tmp_path: Path) -> None:
    two: dict[str, object] = {"two_people": ["delete", "erase", "release_hold"]}
    async with open_office(tmp_path / "office", compliance=two) as office:
        shell, check_id = Shell(office, tmp_path), await office.check("shell-5")
        await shell.run("hold", check_id, "--reference", "case-1", "--reason", "court order")
        person = ("--subject", "shell-5", "--reason", "consent-withdrawn")
        release = (check_id, "--reference", "case-1", "--reason", "p", "--release")
        for asked in (("hold", *release), ("erase", *person, "--purpose", "p", "--yes")):
            assert (await shell.run(*asked)).exit_code == 3
            said = await shell.run(*asked, "--withdraw", by="bert")
            assert (said.exit_code, said.stdout) == (0, "The request of anna is withdrawn.\n")
            again = await shell.run(*asked, "--withdraw", by="bert")
            assert (again.exit_code, "No such request waits" in again.stdout) == (1, True)
        both = await shell.run("erase", check_id, *person, "--purpose", "p", "--withdraw")
        assert both.exit_code == 2


async def test_a_check_is_reviewed_and_the_review_verified_with_its_result(
    shell: Shell, tmp_path: Path
) -> None:
    check_id = await shell.office.check("shell-review", scanned=True, policy="in-pairs")

    async def run(*arguments: str, by: str = "rita") -> Result:
        return await shell.run(*arguments, by=by, command="review")

    nothing = await run("list", "--state", "expired")
    assert "No review matches. --sandbox lists those of sandbox checks." in nothing.stderr
    assert "--sandbox" not in (await run("list", "--sandbox")).stderr
    unknown = await run("list", "--state", "BANANA")
    assert (unknown.exit_code, "Value error" in unknown.stderr) == (2, False)
    assert "'BANANA' is not one of" in unknown.stderr
    listed = await run("list", "--json")
    assert check_id in [json.loads(line)["check_id"] for line in listed.stdout.splitlines()]
    assert check_id in (await run("list")).stdout
    assert "two must decide" in (await run("claim", check_id)).stdout
    assert "OPEN" in (await run("claim", check_id, "--release")).stdout
    decide = ("decide", check_id, "--outcome", "ALLOW", "--reason", "SAME_PERSON")
    unclaimed = await run(*decide)
    assert (unclaimed.exit_code, "REVIEW_NOT_CLAIMED" in unclaimed.stderr) == (2, True)
    review, record, jwks = (tmp_path / name for name in ("review.jws", "result.jws", "jwks.json"))
    assert (await run("show", check_id, "--save", str(review))).exit_code == 2
    for by, status in (("rita", 3), ("rolf", 0)):
        assert (await run("claim", check_id, by=by)).exit_code == 0
        assert (await run(*decide, by=by)).exit_code == status
    shown = await run("show", check_id, "--save", str(review))
    assert "ALLOW by rita" in shown.stdout

    evidence = await shell.office.of("reader").get_evidence(check_id)
    record.write_text(evidence.result_jws)
    jwks.write_text(json.dumps(shell.office.jwks.as_dict()))
    verify = ("verify", str(review), "--jwks", str(jwks))
    verified = await shell.run(*verify, "--of-result", str(record), "--json", command="result")
    answer = json.loads(verified.stdout)
    assert (answer["kind"], answer["review"]["outcome"]) == ("review", "ALLOW")
    assert "ALLOW by rolf" in (await shell.run(*verify, command="result")).stdout
    other = await shell.office.of("reader").get_evidence(await shell.office.check("shell-other"))
    record.write_text(other.result_jws)
    assert (await shell.run(*verify, "--of-result", str(record), command="result")).exit_code == 1


async def test_an_event_that_nobody_takes_is_listed_and_replayed(shell: Shell) -> None:
    check_id = await shell.office.check("shell-event")

    async def run(*arguments: str, by: str = "backend") -> Result:
        return await shell.run(*arguments, by=by, command="events")

    async def tried() -> bool:
        return "Connection refused" in (await run("list", "--check", check_id, "--json")).stdout

    await until(tried)
    listed = await run("list", "--state", "WAITING", "--endpoint", "hook", "--check", check_id, "--json")
    event = json.loads(listed.stdout)
    assert (event["type"], event["endpoint"]) == ("check.decided", "hook")
    assert check_id[:8] in (await run("list", "--check", check_id)).stdout
    shown = (await run("endpoints", by="operator")).stdout
    assert "http://127.0.0.1:9/hook" in shown
    assert "FAILING" in shown
    assert json.loads((await run("endpoints", "--json")).stdout)["waiting"] >= 1
    assert "1 event will be sent now" in (await run("replay", event["event_id"])).stdout
    assert "will be sent now" in (await run("replay", "--endpoint", "hook")).stdout
    for wrong in ((), (event["event_id"], "--endpoint", "hook"), ("--endpoint", "none")):
        assert (await run("replay", *wrong)).exit_code == 2
    refused = await run("replay", event["event_id"], by="operator")
    assert (refused.exit_code, "PERMISSION_DENIED" in refused.stderr) == (2, True)
    assert "that `facegate serve` prints" in refused.stderr
    assert "No event matches" in (await run("list", "--state", "DEAD")).stderr
