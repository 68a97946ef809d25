// Builds the server's binary into a folder of its own and runs the compiled tests against it. Arguments are names of
// test files (`resume` for test/resume.test.ts); none means all.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const build = fileURLToPath(new URL("../build/", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "spile-js-"));

/** When tests that came to no end are given up, in milliseconds; it bounds a hang and measures nothing. */
const HANG = 900_000;

function run(command, args, options) {
  const { status, error } = spawnSync(command, args, { stdio: "inherit", ...options });
  if (error) throw error;
  return status ?? 1;
}

function runTests() {
  let binary = process.env.SPILE_E2E_BINARY;
  if (!binary) {
    binary = join(scratch, "spile");
    const status = run("go", ["build", "-o", binary, "./cmd/spile"], { cwd: root });
    if (status !== 0) return status;
  }
  const wanted = process.argv.slice(2);
  const files = readdirSync(build).filter((name) => name.endsWith(".test.js"))
    .filter((name) => wanted.length === 0 || wanted.includes(name.replace(/\.test\.js$/, "")));
  if (files.length === 0) throw new Error("no such test");
  const options = ["--test", "--test-concurrency=4"];
  return run(process.execPath, [...options, ...files.map((name) => join(build, name))], {
     timeout: HANG, env: { ...process.env, SPILE_E2E_BINARY: binary, TMPDIR: scratch },
  });
}

try {
  process.exitCode = runTests();
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
