// Runs the rows of the contract with the TypeScript client: a request a line on standard input, an answer a line on
// standard output.
import { createInterface } from "node:readline";

const { SpileClient, SpileError } = await import(process.env.SPILE_CLIENT);

async function answer({ server, token, start }) {
  const client = new SpileClient({ baseUrl: server, token });
  const frames = [];
  let accounts;
  let over;
  const ended = new Promise((resolve, reject) => { over = { resolve, reject }; });
  const { min_level: minLevel, ...filters } = start.filters ?? {};
  const stream = await client.startStream({
    agentId: start.agent_id, timeout: start.timeout_seconds, filters: { ...filters, minLevel }, since: start.since,
    tail: start.tail, mode: start.mode, raw: start.raw, context: start.context,
  });
  stream.on("log", (log) => frames.push({
    ...log, context: log.context === true, raw: log.raw === undefined ? log.raw_base64 : Buffer.from(log.raw).toString("base64"),
  }));
  stream.on("control", (frame) => { if (frame.event === "history_end") stream.stop().catch(over.reject); });
  stream.on("end", (frame) => { accounts = frame.accounts.agents; over.resolve(); });
  stream.on("error", (error, fatal) => { if (fatal) over.reject(error); });
  await ended;
  return { frames, accounts };
}

for await (const line of createInterface({ input: process.stdin })) {
  let said;
  try {
    said = await answer(JSON.parse(line));
  } catch (error) {
    if (!(error instanceof SpileError)) throw error;
    said = { error: { code: error.code, status: error.status, details: Object.keys(error.details) } };
  }
  process.stdout.write(JSON.stringify(said) + "\n");
}
