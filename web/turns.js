// A later turn of the event loop, for page and worker: after messages and frames that wait, and without the four
// milliseconds that setTimeout takes.
const channel = new MessageChannel();
const waiting = [];
channel.port1.onmessage = () => waiting.shift()?.();

export function nextTurn() {
  return new Promise((resolve) => {
    waiting.push(resolve);
    channel.port2.postMessage(0);
  });
}
