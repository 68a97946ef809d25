// The guide's snippet with its host, id and token given from outside; Node has no WebSocket of its own before 22.
global.WebSocket = global.WebSocket || require('ws').WebSocket;
const [base, session, token] = process.argv.slice(2);

const ws = new WebSocket(
  `${base}/api/v1/stream/ws/${session}?token=${token}`
);

ws.onmessage = (event) => {
  const log = JSON.parse(event.data);
  if (log.type === 'control') {
    console.log(`${log.event} ${log.reason}`);
    return;
  }
  console.log(`[${log.level}] ${log.source}: ${log.message}`);
};
ws.onclose = (event) => console.log(`closed ${event.code}`);
