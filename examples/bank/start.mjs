/** Starts a sandbox server for the bank, and the bank; with BANK_FACEGATE only the bank, for a server that runs. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";

const SECRET_FILE = "run/webhook-secret.txt";
process.chdir(fileURLToPath(new URL(".", import.meta.url)));
const { BANK_SERVER: FACEGATE = "../../.venv/bin/facegate", BANK_PORT = "3000" } = process.env;

// Known before anything starts, such as while another bank is open.
const tried = createServer().listen(Number(BANK_PORT), "127.0.0.1");
await once(tried, "listening").catch((error) => {
  const what = error.code === "EADDRINUSE" ? "something listens there, such as another bank: stop it (Ctrl+C) first" : error.message;
  console.error(`The bank cannot open at port ${BANK_PORT}: ${what}.`);
  process.exit(1);
});
await once(tried.close(), "close");

if (!process.env.BANK_FACEGATE) {
  if (!existsSync(FACEGATE)) throw new Error("Facegate is not installed: run `make install` in the repository");
  mkdirSync("run", { recursive: true, mode: 0o700 });
  if (!existsSync(SECRET_FILE)) {
    const made = spawnSync(FACEGATE, ["keys", "new-webhook-secret", SECRET_FILE], { stdio: "inherit" });
    if (made.status !== 0) process.exit(made.status ?? 1);
  }
  const server = spawn(FACEGATE, ["serve", "--config", "facegate.toml"], { stdio: ["ignore", "inherit", "pipe"] });
  process.on("exit", () => server.kill());
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(0));
  server.on("exit", (code) => process.exit(code ?? 1));
  const [service, admin] = await new Promise((resolve) => {
    let said = "";
    server.stderr.on("data", (text) => {
      process.stderr.write(text);
      said += text;
      const found = /serves: device \S+, service (\S+), admin port (\d+)/.exec(said);
      if (found) resolve([found[1], found[2]]);
    });
  });
  process.env.BANK_FACEGATE = `http://${service}`;
  process.env.BANK_KEYS = `http://127.0.0.1:${admin}/.well-known/jwks.json`;
  process.env.BANK_SECRET_FILE ??= SECRET_FILE;
}
await import("./bank.mjs");
