// masto in a person's hands: each line of the input says what to do, each line of the output what came of it.
// Run by tests/clients/hands_of_masto.py: node story_masto.mjs http://127.0.0.1:3000

import { createInterface } from "node:readline";

import { createOAuthAPIClient, createRestAPIClient, createStreamingAPIClient } from "masto";

const url = process.argv[2];
const heard = [];

function open(kind, token) {
  if (kind === "oauth") return createOAuthAPIClient({ url });
  return createRestAPIClient({ url, accessToken: token || undefined });
}

/** Methods with their parents; `["$select", id]` in a path chooses one thing. */
function find(client, path) {
  return path.reduce((here, step) => (Array.isArray(step) ? here[step[0]](step[1]) : here[step]), client);
}

function unpack(given) {
  if (given?.file === undefined) return given;
  return { ...given, file: new Blob([Buffer.from(given.file, "base64")], { type: "image/png" }) };
}

async function listen(streamingApiUrl, accessToken) {
  const subscription = createStreamingAPIClient({ streamingApiUrl, accessToken }).user.subscribe();
  for await (const event of subscription) heard.push([event.event, event.payload]);
}

const acts = {
  call: async ({ kind, token, path, args }) => await find(open(kind, token), path)(...args.map(unpack)),
  listen: ({ streaming, token }) => void listen(streaming, token),
  heard: () => heard,
};

for await (const line of createInterface({ input: process.stdin })) {
  const wish = JSON.parse(line);
  try {
    console.log(JSON.stringify({ gives: (await acts[wish.act](wish)) ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ fails: `${error.statusCode ?? ""} ${error.stack}` }));
  }
}
process.exit(0);
