"""The npm package @facegate/server before real servers, and what its README and docs/integrate.md show."""

import asyncio
import json
import os
import shutil
import subprocess
import tomllib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
from standardwebhooks import Webhook

from facegate_client import ApiKey, Orchestrator, TlsSettings, open_channel
from tests.docs.pages import REPOSITORY, CodeBlock, code_blocks, commands
from tests.ports import held_port
from tests.server.live import portrait, until
from tests.server.process.server_process import FACEGATE, DataFolder, ServerProcess
from tests.web.conftest import MODULES, SERVER_PACKAGE, WEB

pytestmark = pytest.mark.slow

_SETTINGS = REPOSITORY / "docs" / "orchestrator.md"
_GUIDE = REPOSITORY / "docs" / "integrate.md"
_README = SERVER_PACKAGE / "README.md"
_BANK = REPOSITORY / "examples" / "bank"


def _block(page: Path, language: str, having: str) -> CodeBlock:
    (found,) = (block for block in code_blocks(page) if block.language == language and having in block.text)
    return found


def _project(folder: Path) -> None:
    """Make a folder a project that installed the package and Express."""
    (folder / "node_modules" / "@facegate").mkdir(parents=True)
    (folder / "node_modules" / "@facegate" / "server").symlink_to(SERVER_PACKAGE)
    (folder / "node_modules" / "express").symlink_to(MODULES / "express")
    (folder / "package.json").write_text('{"type": "module"}')


async def _run(folder: Path, *words: str, **variables: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *words, cwd=folder, env=os.environ | variables, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, words
    return output.decode()


async def _answer(folder: Path, program: str, **variables: str) -> Any:
    """What a program in Node.js prints as JSON."""
    return json.loads(await _run(folder, "node", "--input-type=module", "--eval", program, **variables))


@asynccontextmanager
async def _running(folder: Path, *words: str, **variables: str) -> AsyncIterator[None]:
    """Run a backend, which prints a line once it serves."""
    process = await asyncio.create_subprocess_exec(
        *words, cwd=folder, env=os.environ | variables, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        assert await process.stdout.readline()
        yield
    finally:
        process.kill()
        await process.wait()


def _express(folder: Path, service: str, port: int) -> Path:
    """Write the program of the README that uses Express."""
    program = _block(_README, "js", "express()").text
    for page, here in (("https://localhost:8444", service), ("localhost:3000", f"localhost:{port}")):
        assert page in program
        program = program.replace(page, here)
    file = folder / "backend.mjs"
    file.write_text(program.replace("listen(3000,", f"listen({port},"))
    return file


async def _outcome(person: aiohttp.ClientSession, path: str) -> str:
    """What the backend says once it knows the result."""

    async def told() -> bool:
        return "open" not in await (await person.get(path)).text()

    await until(told)
    return await (await person.get(path)).text()


@dataclass(frozen=True, slots=True)
class _Guided:
    """A server with the settings of the guide, in the folder of a backend.

    Attributes:
        port: Of the backend, which does not run yet.
        page: Of the server's scan page.
    """

    folder: Path
    server: ServerProcess
    port: int
    page: int

    @property
    def service(self) -> str:
        return f"localhost:{self.server.service_target.rpartition(':')[2]}"

    @asynccontextmanager
    async def orchestrator(self) -> AsyncIterator[Orchestrator]:
        """The backend's own calls."""
        tls = TlsSettings(root_certificates=(self.folder / "tls.pem").read_bytes())
        key = ApiKey((self.folder / "api-key.txt").read_text().strip())
        async with open_channel(self.service, tls=tls) as channel:
            yield Orchestrator(channel=channel, api_key=key)

    def decided(self, check_id: str) -> dict[str, Any]:
        """A signed event, as arguments of a POST: it says that a check was decided, which is not true yet."""
        secret = (self.folder / "webhook-secret.txt").read_text().strip()
        data = {"tenant": "default", "check_id": check_id, "status": "SUCCESS"}
        moment = datetime.now(UTC)
        body = json.dumps({"type": "check.decided", "timestamp": moment.isoformat(), "data": data})
        headers = {
            "webhook-id": "1",
            "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": Webhook(secret).sign("1", moment, body),
        }
        return {"data": body, "headers": headers}


@asynccontextmanager
async def _guided(folder: Path, **endpoint: Any) -> AsyncIterator[_Guided]:
    """Follow the guide until the server runs; the endpoint has further settings."""
    _project(folder)
    (folder / "portrait.jpg").write_bytes(portrait())
    certificate, new_key, _, wait, fetch = (
        list(words) for words in commands(_block(_SETTINGS, "console", "openssl req"))
    )
    (new_secret,) = commands(_block(_GUIDE, "console", "new-webhook-secret"))
    for words in (certificate, [FACEGATE, *new_key[1:]], [FACEGATE, *new_secret[1:]]):
        await _run(folder, *words)
    listeners: dict[str, Any] = tomllib.loads(_block(_SETTINGS, "toml", "api_keys_file").text)["listeners"]
    for table in listeners.values():
        table["port"] = 0
    with held_port() as port, held_port() as page:
        text = _block(_GUIDE, "toml", "[webhooks").text
        more = tomllib.loads(text.replace(":8446", f":{page}").replace(":3000", f":{port}"))
        more["webhooks"]["endpoints"]["backend"] |= endpoint
        listeners["web"] = more["listeners"]["web"] | {"port": page}
        more |= tomllib.loads(_block(_GUIDE, "toml", "allow_evaluation_pack").text)
        more |= {"listeners": listeners | {"admin": {"port": 0}}}
        async with DataFolder(folder / "home", **more).serving() as server:
            for words in (wait, fetch):
                await _run(folder, *(word.replace("8445", str(server.admin_port)) for word in words))
            yield _Guided(folder, server, port, page)


async def test_the_guide_leads_to_a_decided_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with (
        _guided(tmp_path) as guided,
        _running(tmp_path, "node", _express(tmp_path, f"https://{guided.service}", guided.port).name),
        aiohttp.ClientSession(f"http://localhost:{guided.port}") as person,
        guided.orchestrator() as backend,
    ):
        started = await person.post("/checks", allow_redirects=False)
        assert started.status == 303
        assert started.headers["Location"].startswith(f"http://localhost:{guided.page}/scan#link=")
        # What is not the server's is refused; only faults of the backend are answered as such.
        forged = {"type": "check.decided", "data": {"check_id": "1", "status": "SUCCESS"}}
        assert (await person.post("/facegate", json=forged)).status == 400
        assert (await person.post("/facegate", skip_auto_headers=["Content-Type"])).status == 400
        assert (await person.post("/facegate", data=bytes(1_000_000))).status == 413

        (check,) = [one async for one in backend.find_checks(subject_reference="customer-4711")]
        done = f"/done?check_id={check.check_id}"
        assert await (await person.get(done)).text() == "open"
        # An event is answered although its result cannot be fetched.
        assert (await person.post("/facegate", **guided.decided(check.check_id))).status == 204
        await backend.cancel_check(check.check_id)
        assert await _outcome(person, done) == "not verified: CANCELLED"


@pytest.mark.parametrize("sample", ["express", "bank"])
async def test_a_result_that_could_not_be_fetched_is_fetched_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sample: str
) -> None:
    monkeypatch.chdir(tmp_path)
    # The endpoint gets no event by which the backend fetches a result: it has its own timer alone.
    async with AsyncExitStack() as stack:
        guided = await stack.enter_async_context(_guided(tmp_path, events=["check.scan_started"]))
        service = f"https://{guided.service}"
        person = await stack.enter_async_context(aiohttp.ClientSession(f"http://localhost:{guided.port}"))
        backend = await stack.enter_async_context(guided.orchestrator())
        if sample == "express":
            program, begin, told = _express(tmp_path, service, guided.port), "/checks", "/done"
        else:
            for name in ("bank.mjs", "page.html"):
                shutil.copy(_BANK / name, tmp_path)
            program, begin, told = tmp_path / "bank.mjs", "/applications", "/applications"
        variables = {
            "BANK_PORT": str(guided.port),
            "BANK_FACEGATE": service,
            "BANK_KEYS": f"http://127.0.0.1:{guided.server.admin_port}/.well-known/jwks.json",
            "BANK_SECRET_FILE": "webhook-secret.txt",
            "BANK_API_KEY_FILE": "api-key.txt",
            "BANK_CA_FILE": "tls.pem",
        }
        await stack.enter_async_context(_running(tmp_path, "node", program.name, **variables))
        await person.get("/")
        begun = await person.post(begin, data=portrait(), allow_redirects=False)
        assert begun.status in {201, 303}
        (check,) = [one async for one in backend.find_checks()]
        assert (await person.post("/facegate", **guided.decided(check.check_id))).status == 204
        await backend.cancel_check(check.check_id)
        assert "CANCELLED" in await _outcome(person, f"{told}?check_id={check.check_id}")


async def test_the_guide_builds_the_package_of_a_fresh_clone(tmp_path: Path) -> None:
    fetch, build, install, _ = (list(words) for words in commands(_block(_GUIDE, "console", "npm install")))
    assert (fetch[-1], install[:2]) == ("ci", ["npm", "install"])
    clone = tmp_path / "facegate" / "web"
    shutil.copytree(WEB, clone, ignore=shutil.ignore_patterns("dist", "node_modules"))
    # Its own packages are links beside what is fetched: those of the clone are its own.
    fetched = clone / "node_modules"
    shutil.copytree(MODULES / "@facegate", fetched / "@facegate", symlinks=True)
    for path in MODULES.iterdir():
        if path.name != "@facegate":
            (fetched / path.name).symlink_to(path)
    backend = tmp_path / "backend"
    backend.mkdir()
    await _run(backend, *build)
    assert (backend / install[2] / "dist" / "index.js").is_file()


_CALLS = """
import { readFileSync } from "node:fs";
import { CheckStatus, Facegate } from "@facegate/server";
const { SERVICE, KEYS, ISSUER = "facegate" } = process.env;
const results = { keys: KEYS, issuer: ISSUER, tenant: "default", acceptSandbox: true };
const [ca, certificate, key] = ["ca.pem", "client.pem", "client.key"].map((name) => readFileSync(name));
const own = new Facegate({ address: SERVICE, ca, certificate, key, results });
const stranger = new Facegate({ address: SERVICE, ca, results });
const other = new Facegate({ address: SERVICE, certificate, key, results });
const of = (error) => ({ name: error.name, reason: error.reason, metadata: error.metadata });

const image = readFileSync("portrait.jpg");
const { checkId } = await own.uploadTrustedImage({ image, subjectReference: "customer-4711" });
const open = await own.finishCheck(checkId).catch(of);
const small = await own.uploadTrustedImage({ image: Buffer.from("none") }).catch(of);
const refused = [];
for (const one of [stranger, other]) {
  const error = await one.getCheck(checkId, { timeoutMs: 2000 }).catch(of);
  refused.push(error.name);
}
await own.cancelCheck(checkId);
const states = [];
for await (const { state } of own.watchCheck(checkId)) states.push(state);
const finished = await own.finishCheck(checkId).catch(of);
if (finished.name) console.log(JSON.stringify(finished));
else {
  const claims = await own.results.verifyJwt(finished.resultJwt);
  const again = await own.results.verify(finished.resultJws);
  const status = CheckStatus[finished.result.status];
  const agree = again.checkId === checkId && claims.check_id === checkId && claims.status === status;
  console.log(JSON.stringify({ open, small, refused, states, status, agree }));
}
process.exit();
"""


async def test_a_backend_calls_with_mutual_tls(tmp_path: Path) -> None:
    _project(tmp_path)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    for name, issued in (
        ("server", authority.issue_cert("localhost")),
        ("client", authority.issue_cert("backend.example")),
    ):
        issued.cert_chain_pems[0].write_to_path(str(tmp_path / f"{name}.pem"))
        issued.private_key_pem.write_to_path(str(tmp_path / f"{name}.key"))
        (tmp_path / f"{name}.key").chmod(0o600)
    (tmp_path / "portrait.jpg").write_bytes(portrait())
    tls = {
        name: str(tmp_path / f"server.{ending}") for name, ending in (("certificate", "pem"), ("key", "key"))
    }
    entry = {
        "name": "backend",
        "identity": "dns:backend.example",
        "tenant": "default",
        "roles": ["orchestrator"],
    }
    free = {"port": 0}
    service = free | {"tls": tls | {"client_ca": str(tmp_path / "ca.pem")}, "clients": [entry]}
    home = DataFolder(tmp_path / "home", listeners={"device": free, "service": service, "admin": free})
    async with home.serving() as server:
        here = {
            "SERVICE": f"https://localhost:{server.service_target.rpartition(':')[2]}",
            "KEYS": f"http://127.0.0.1:{server.admin_port}/.well-known/jwks.json",
        }
        answer = await _answer(tmp_path, _CALLS, **here)
        assert answer["open"] == {"name": "CallRefusedError", "reason": "NOT_SCANNED_YET", "metadata": {}}
        assert answer["small"]["reason"] == "IMAGE_FORMAT_NOT_SUPPORTED"
        assert answer["refused"] == ["ConnectionFailedError", "ConnectionFailedError"]
        assert answer["states"][-1] in {4, 5}
        assert (answer["status"], answer["agree"]) == ("FAILURE", True)
        # The results of another installation.
        assert (await _answer(tmp_path, _CALLS, **here, ISSUER="other"))["name"] == "ServerNotTrustedError"


_ROUTE = """
import { Webhook } from "standardwebhooks";
import { POST } from "./app/facegate/route.js";
import { settled } from "next/server";
import { verified } from "./lib/customers.js";
const time = new Date();
const post = (data, secret) => {
  const all = { tenant: "default", ...data };
  const body = JSON.stringify({ type: "check.decided", timestamp: time.toISOString(), data: all });
  const headers = {
    "webhook-id": "1",
    "webhook-timestamp": String(Math.floor(time / 1000)),
    "webhook-signature": new Webhook(secret).sign("1", time, body),
  };
  const request = new Request("https://bank.example/facegate", { method: "POST", body, headers });
  return POST(request).then(({ status }) => status);
};
const { WEBHOOK_SECRET } = process.env;
const statuses = [
  await post({ check_id: "4711", status: "FAILURE" }, WEBHOOK_SECRET),
  await post({ check_id: "4711" }, WEBHOOK_SECRET),
  await post({ check_id: "4711", status: "SUCCESS" }, "whsec_c3RyYW5nZXItc3RyYW5nZXItc3RyYW5nZXI="),
  await post({ check_id: "4712", status: "SUCCESS" }, WEBHOOK_SECRET),
];
await settled();
console.log(JSON.stringify({ statuses, verified }));
"""


async def test_the_route_for_next_js_believes_the_result_alone(tmp_path: Path) -> None:
    _project(tmp_path)
    (tmp_path / "node_modules" / "standardwebhooks").symlink_to(MODULES / "standardwebhooks")
    for folder in ("app/facegate", "lib"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "app/facegate/route.js").write_text(_block(_README, "js", "function POST").text)
    # `next build` loads it where the files that it reads are not.
    module = tmp_path / "lib/facegate.js"
    module.write_text(_block(_README, "js", "client ??=").text)
    await _run(tmp_path, "node", str(module))
    module.write_text(
        "let calls = 0;\n"
        "export const facegate = () => ({ finishCheck: async (checkId) => {\n"
        '  if (++calls === 1) throw new Error("busy");\n'
        "  return { result: { checkId, status: 1 } };\n} });\n"
    )
    (tmp_path / "lib/customers.js").write_text(
        "export const verified = [];\nconst decided = new Set();\n"
        "export const setDecided = async (checkId) => void decided.add(checkId);\n"
        "export const decidedChecks = async () => [...decided];\n"
        "export const setVerified = async (...all) => {\n"
        "  decided.delete(all[0]);\n  verified.push(all);\n};\n"
    )
    # What Next.js does after an answer.
    (tmp_path / "node_modules" / "next").mkdir()
    (tmp_path / "node_modules" / "next" / "package.json").write_text(
        '{"type": "module", "exports": {"./server": "./server.js"}}'
    )
    (tmp_path / "node_modules" / "next" / "server.js").write_text(
        "const works = [];\nexport const after = (work) => void works.push(work);\n"
        "export const settled = async () => {\n  for (const work of works) await work();\n};\n"
    )
    answer = await _answer(tmp_path, _ROUTE, WEBHOOK_SECRET="whsec_b3Vycy1vdXJzLW91cnMtb3Vycy1vdXJzLW91cnM=")
    assert answer == {"statuses": [204, 204, 400, 204], "verified": [["4712", True], ["4711", True]]}


_TYPES = """
import { CheckStatus, Facegate, verifyWebhook } from "@facegate/server";
import type { FinishedCheck, WebhookEvent } from "@facegate/server";

const results = { keys: { keys: [] }, issuer: "i", tenant: "t" };
const facegate = new Facegate({ address: "https://localhost", results });
const hosted = { returnUrl: "https://bank.example" };
const { checkId } = await facegate.uploadTrustedImage({ image: new Uint8Array(), hosted });
const finished: FinishedCheck = await facegate.finishCheck(checkId, { auditImageLimit: 1 });
export const verified: boolean = finished.result.status === CheckStatus.SUCCESS;
export const event: WebhookEvent = verifyWebhook("", new Headers(), "whsec_");
// @ts-expect-error A check needs something to compare the scan with.
await facegate.uploadTrustedImage({ subjectReference: "customer-4711" });
// @ts-expect-error Only one thing is compared with.
await facegate.uploadTrustedImage({ image: new Uint8Array(), trustedCheckId: checkId });
// @ts-expect-error No such field.
await facegate.uploadTrustedImage({ image: new Uint8Array(), returnUrl: "https://bank.example" });
// @ts-expect-error What results are to be is not left out.
new Facegate({ address: "https://localhost" });
"""


def test_a_project_in_typescript_gets_the_types(tmp_path: Path) -> None:
    _project(tmp_path)
    (tmp_path / "node_modules" / "@types").symlink_to(MODULES / "@types")
    (tmp_path / "backend.ts").write_text(_TYPES)
    options = {"strict": True, "module": "nodenext", "target": "es2022", "noEmit": True, "types": ["node"]}
    (tmp_path / "tsconfig.json").write_text(json.dumps({"compilerOptions": options, "files": ["backend.ts"]}))
    compiler = MODULES / ".bin" / "tsc"
    done = subprocess.run([compiler, "-p", "."], cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_messages_are_those_of_the_contract(tmp_path: Path) -> None:
    buf, package, generated = Path(FACEGATE).with_name("buf"), WEB / "protocol", "src/generated"
    subprocess.run([buf, "generate", "-o", tmp_path], cwd=package, check=True, timeout=120)
    made, kept = (
        {path.relative_to(folder): path.read_text() for path in folder.rglob("*_pb.ts")}
        for folder in (tmp_path / generated, package / generated)
    )
    assert made.keys() == kept.keys()
    different = [str(path) for path, text in made.items() if kept[path] != text]
    assert different == [], "run: npm --prefix web run protos"
